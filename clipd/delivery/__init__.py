"""From a finished attempt to the person who asked: staging, publication, truth sheets, answers."""
