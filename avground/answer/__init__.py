"""Ask a video: from a file and a question to an answer, and to what it was grounded in.

from avground.answer import Answerer

video = Answerer("best.pt").watch("concert.mp4")
print(video.ask("How many instruments are sounding in the video?"))
"""

from avground.answer.answerer import Answerer, Watched
from avground.answer.dataset import AnsweredData
from avground.answer.explain import attention_of, explain_video
from avground.answer.result import Answer, Moment

__all__ = ["Answer", "AnsweredData", "Answerer", "Moment", "Watched", "attention_of", "explain_video"]
