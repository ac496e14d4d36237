"""Whether plays and state could be written, found out without writing anything that stays.

Each check gives back what was found; where something is wrong it raises a Failure, whose text says what
to do. None waits for longer than a few seconds for one answer.
"""

from pathlib import Path

from pipelines.storage.files import is_bucket, storage_of
from producer.polling.publishing import PublishError

_SECONDS = 4.0
_PUBLISH = "pubsub.topics.publish"


def check_folder_or_bucket(root: str) -> str:
    """Files can be created, read and replaced there."""
    storage_of(root).check_writable(root, replacing=True)
    can_be_made = not is_bucket(root) and not Path(root).exists()
    return f"{root} is not there yet, and can be made" if can_be_made else f"{root} can be written"


def check_topic(topic: str) -> str:
    """The topic exists, and may be published to where Pub/Sub can tell."""
    from google.api_core import exceptions
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.pubsub_v1 import PublisherClient

    from producer.polling.publishing import explanation

    try:
        publisher = PublisherClient()
        try:
            asked = {"resource": topic, "permissions": [_PUBLISH]}
            answer = publisher.test_iam_permissions(request=asked, timeout=_SECONDS, retry=None)
            if _PUBLISH in answer.permissions:
                return f"{topic} is there, and may be published to"
        except (exceptions.MethodNotImplemented, exceptions.NotFound):
            publisher.get_topic(topic=topic, timeout=_SECONDS, retry=None)
            return f"{topic} is there"
        # Without the permission, or without the topic: Pub/Sub answers the same for both.
        publisher.get_topic(topic=topic, timeout=_SECONDS, retry=None)
        _, project, _, name = topic.split("/")
        raise PublishError(
            f"no permission to publish to {topic}; grant it: gcloud pubsub topics add-iam-policy-binding {name} "
            f"--project {project} --member MEMBER --role roles/pubsub.publisher"
        )
    except (exceptions.ServiceUnavailable, exceptions.DeadlineExceeded):
        raise PublishError(
            "Pub/Sub cannot be reached; check the network, and PUBSUB_EMULATOR_HOST if it is set"
        ) from None
    except (GoogleAuthError, exceptions.GoogleAPIError) as error:
        raise PublishError(explanation(topic, error)) from None
