"""What ``--help`` shows below the options of each command."""

LOGOUT = """\
examples:
  what is kept of the account, without removing it:
    heavy-rotation logout --account NAME --dry-run

  of a poller on Google Cloud:
    heavy-rotation logout --account NAME --logins secretmanager://my-project --state gs://my-bucket/state

Give --logins and --state as polling has them. It cannot be undone; the account's owner can log in again at any time.
A poll under way does not bring the login back, and a service polls the account no more, but what it has just
published arrives: remove plays afterwards, or stop the poller first. A token in SPOTIFY_REFRESH_TOKEN is polled until
it is taken out of the poller's environment. At Spotify the token lives on until its owner removes the app there.
"""

IMPORT = """\
examples:
  what is in the export, without writing anything:
    heavy-rotation import ~/Downloads/my_spotify_data.zip --user me --dry-run

  the export as Spotify sends it, and an older one that was unpacked:
    heavy-rotation import my_spotify_data.zip old_export/ --user me --archive ~/music/archive

  some of its files, into a bucket:
    heavy-rotation import Streaming_History_Audio_*.json --user me --archive gs://my-bucket/archive

  the account that has logged in:
    heavy-rotation import my_spotify_data.zip --archive ~/music/archive

Importing the same export again, or a newer one that contains it, counts no play twice. Nor is a play counted twice
that is polled too, before or after: log in first, leave out --user, and give --state as polling has it.
docs/import.md says how plays are matched.
"""

RENAME = """\
examples:
  what was imported before the login becomes the account's:
    heavy-rotation rename

  of an archive and tables that are not at home:
    heavy-rotation rename --user me --to ID --archive ~/music/archive --warehouse ~/music/warehouse

Files of the archive are written anew, one by one. It can be stopped and run again, beside polls and a stream. Plays
that were polled and imported are brought together by the rules of an import, and count once. It cannot be undone.
"""

POLL = """\
examples:
  to the topic that the stream reads:
    heavy-rotation poll --once --topic projects/my-project/topics/plays

  straight into an archive, without Pub/Sub:
    heavy-rotation poll --once --archive ~/music/archive

  as a service, until Ctrl-C or SIGTERM:
    heavy-rotation poll --every 10m --topic projects/my-project/topics/plays

  with its memory in a bucket, for a job without a disk:
    heavy-rotation poll --once --state gs://my-bucket/state --topic projects/my-project/topics/plays

Poll at least every 20 minutes: Spotify lists the last 50 plays only, and polling again publishes nothing twice.
Every account that has logged in is polled, and that of SPOTIFY_REFRESH_TOKEN where the environment has one.
SPOTIFY_API_URL and SPOTIFY_ACCOUNTS_URL name another server than Spotify's, for tests, with https:// unless it is on
this machine: give those --logins of their own, or the other server is shown the tokens of real ones.
"""

DOCTOR = """\
examples:
  with where the plays go, so that this is checked too:
    heavy-rotation doctor --topic projects/my-project/topics/plays
    heavy-rotation doctor --archive ~/music/archive

Nothing is changed, nothing is published. One thing cannot be tried without doing it: Spotify may answer with a new
refresh token, which is kept then. Exit code 1 when something needs a person.
"""


def login() -> str:
    """The text for ``login``, with the redirect URI and the page where it is set."""
    from producer.accounts.redirect import DEFAULT_PORT, redirect_uri
    from producer.spotify.oauth import DASHBOARD

    return f"""\
examples:
  on a machine with a browser:
    heavy-rotation login

  on a server, with the browser of another machine:
    ssh -L {DEFAULT_PORT}:127.0.0.1:{DEFAULT_PORT} server
    heavy-rotation login --no-browser

  for a poller on Google Cloud:
    heavy-rotation login --logins secretmanager://my-project

Before the first login, add this redirect URI to your app, exactly so (with another --port, that port):
  {redirect_uri(DEFAULT_PORT)}
Apps are at {DASHBOARD}. The environment holds SPOTIFY_CLIENT_ID, and SPOTIFY_CLIENT_SECRET
if the app is to use it; SPOTIFY_CLIENT_FILE can name a JSON file with client_id and client_secret instead, and
SPOTIFY_CLIENT_SECRET_NAME a secret: projects/PROJECT/secrets/SECRET. Log in once for each account; logging in
again replaces the account's login.
"""


WATCH = """\
examples:
  a playlist, by the link that Spotify's app copies, and an artist, by URI:
    heavy-rotation watch add https://open.spotify.com/playlist/37i9dQZF1DXcBWIGoYBM5M
    heavy-rotation watch add spotify:artist:0OdUWJ0sBjDrqHygGUXeCF --every 7d

  the artists of each month's top ten, by themselves:
    heavy-rotation watch add top:10

  what is watched, and no longer:
    heavy-rotation watch list
    heavy-rotation watch remove top:10

Nothing is asked yet: heavy-rotation snapshot --once does that. Private playlists need heavy-rotation login --playlists.
New apps are given the tracks of playlists of their own users only.
"""

SNAPSHOT = """\
examples:
  into the archive at home, or one that is named:
    heavy-rotation snapshot --once
    heavy-rotation snapshot --once --archive ~/music/archive

  to the topic that the stream reads; the archive says which artists top:10 are:
    heavy-rotation snapshot --once --topic projects/my-project/topics/plays --archive gs://my-bucket/archive

Run it once a day, as often as you like: only what is due is asked about, and no more than --budget requests a day, so
that polling keeps its share. It never waits for long: what is left is asked by the next run. What Spotify does not give
your app is told once, and asked for again after a month; heavy-rotation doctor shows it.
"""

ENRICH = """\
examples:
  with Spotify alone: covers, lengths and ISRCs of songs that an export named
    heavy-rotation enrich

  with the open sources too: genres (MusicBrainz), listeners (ListenBrainz), covers (Cover Art Archive)
    HEAVY_ROTATION_CONTACT=me@example.com heavy-rotation enrich

  through the topic, with the archive that its stream writes
    heavy-rotation enrich --topic projects/my-project/topics/plays --archive gs://my-bucket/archive

The artists and songs of top tens come first, then the rest by plays. Each thing is asked once, found or not; only the
listeners of artists are asked again, each week. It can be stopped at any time, and goes on where it was. MusicBrainz is
asked once a second: 1,500 artists take about 40 minutes, in runs of --minutes. LISTENBRAINZ_TOKEN is the token of an
account there, should it want one. The sources' terms: no commercial use of genres.
"""
