"""What a listener does not want to see. Plays stay as they are; figures leave it out."""
