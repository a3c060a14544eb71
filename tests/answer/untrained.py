"""What models of these tests know, and the seconds that they look at."""

from avground.data import Vocabulary

TEMPLATES = ("How many instruments are sounding in the video?", "Is the <Object> louder than the <Object>?")
WORDS = (*TEMPLATES[0][:-1].split(), "Is", "flute", "louder", "than", "acoustic_guitar")
VOCABULARY = Vocabulary(("<pad>", *WORDS), ("yes", "no", "two"))
SECONDS = 4
