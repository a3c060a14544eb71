/** The place of the start whose middle is nearest to a time; each is of one second. */
function nearest(starts, time) {
  let best = 0;
  starts.forEach((start, t) => {
    if (Math.abs(start + 0.5 - time) <= Math.abs(starts[best] + 0.5 - time)) best = t;
  });
  return best;
}

/** The one playhead of a view: that of a video, or a timer where there is none. Tells of every change by "tick". */
class Clock extends EventTarget {
  constructor(seconds, media) {
    super();
    this.seconds = seconds;
    this.media = media;
    this.time = 0;
    this.playing = false;
    this.step = this.step.bind(this);
    // Headphones, or the end, stop a video too; and what is heard of a stop may come after the next start.
    this.stopped = () => media.paused && this.pause();
    media?.addEventListener("pause", this.stopped);
    for (const event of ["seeked", "loadeddata"]) media?.addEventListener(event, () => this.tell());
  }

  play() {
    if (this.playing) return;
    if (this.time >= this.seconds) this.seek(0);
    this.playing = true;
    this.before = performance.now();
    this.media?.play().catch(this.stopped);
    requestAnimationFrame(this.step);
    this.tell();
  }

  pause() {
    if (!this.playing) return;
    this.playing = false;
    this.media?.pause();
    this.tell();
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  seek(time) {
    this.time = Math.min(Math.max(time, 0), this.seconds);
    if (this.media) this.media.currentTime = this.time;
    this.tell();
  }

  step(now) {
    if (!this.playing) return;
    if (!this.media) this.time += (now - this.before) / 1000;
    else if (!this.media.seeking) this.time = this.media.currentTime;
    this.before = now;
    if (this.time >= this.seconds) {
      this.time = this.seconds;
      this.pause();
      return;
    }
    this.tell();
    requestAnimationFrame(this.step);
  }

  tell() {
    this.dispatchEvent(new Event("tick"));
  }
}
