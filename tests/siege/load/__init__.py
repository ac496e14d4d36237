"""The stream under a load that it can just hold: what is lost, how soon it is seen, and what memory it takes."""
