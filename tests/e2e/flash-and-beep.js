// A known picture and a known sound, in place of camera and microphone; runs in the browser.

/**
 * In the page: red on the left and blue on the right; and once a second, for 100 ms, a white square in the
 * middle and a beep of 1 kHz, both from the same moment on.
 */
export function flashAndBeep() {
  const [width, height] = [320, 180];
  const STEADY_S = 4;
  const sound = new AudioContext();
  const volume = new GainNode(sound, { gain: 0 });
  const out = sound.createMediaStreamDestination();
  const oscillator = new OscillatorNode(sound, { frequency: 1_000 });
  oscillator.connect(volume).connect(out);
  oscillator.start();

  function draw() {
    const canvas = Object.assign(document.createElement('canvas'), { width, height });
    const pen = canvas.getContext('2d');
    let isFlash = false;
    let drawnAt = 0;
    // Often, so that both begin at once; but no more frames than a camera gives.
    setInterval(() => {
      const now = performance.now();
      const wasFlash = isFlash;
      isFlash = now % 1_000 < 100;
      if (isFlash === wasFlash && now - drawnAt < 1_000 / 30) return;
      drawnAt = now;
      if (isFlash !== wasFlash) volume.gain.setValueAtTime(isFlash ? 0.5 : 0, sound.currentTime);
      pen.fillStyle = '#f00';
      pen.fillRect(0, 0, width / 2, height);
      pen.fillStyle = '#00f';
      pen.fillRect(width / 2, 0, width / 2, height);
      pen.fillStyle = isFlash ? '#fff' : '#000';
      pen.fillRect(width / 4, height / 4, width / 2, height / 2);
    }, 4);
    return canvas.captureStream(30).getVideoTracks()[0];
  }

  const picture = draw();
  navigator.mediaDevices.getUserMedia = async ({ audio, video }) => {
    // A sound that has just begun may stay apart from the picture by what it took to begin.
    while (sound.currentTime < STEADY_S) await new Promise((resolve) => setTimeout(resolve, 50));
    const tracks = [...(audio ? out.stream.getTracks() : []), ...(video ? [picture] : [])];
    return new MediaStream(tracks.map((track) => track.clone()));
  };
}
