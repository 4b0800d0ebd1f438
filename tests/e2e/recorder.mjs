// Runs in the page before anything else: notes when each tile showed a new frame, whichever element
// and whichever path it came by, and what was concealed of the sound and frozen of the picture.

/** @returns {void} */
export function record() {
  const FORGOTTEN_MS = 500;
  const tiles = new Map();
  /** By element: the callback that waits for its next frame, and since when. */
  const watched = new Map();

  function shown(video) {
    const tile = video.closest('.tile');
    if (!tile || video.classList.contains('coming')) return;
    const now = performance.now();
    const entry = tiles.get(tile.dataset.member) ?? { first: now, last: now, longest: 0, frames: 0 };
    tiles.set(tile.dataset.member, entry);
    entry.longest = Math.max(entry.longest, now - entry.last);
    entry.last = now;
    entry.frames += 1;
  }

  function framesOf(video) {
    return video.getVideoPlaybackQuality().totalVideoFrames;
  }

  function follow(video) {
    if (!watched.has(video)) awaitFrame(video);
  }

  function awaitFrame(video) {
    const handle = video.requestVideoFrameCallback(() => {
      // The frame that makes a coming picture the shown one is already on the screen.
      queueMicrotask(() => shown(video));
      if (video.isConnected) awaitFrame(video);
      else watched.delete(video);
    });
    watched.set(video, { handle, since: performance.now(), frames: framesOf(video) });
  }

  // Chromium sometimes forgets the callbacks of an element that had no frame for some seconds: its
  // count of frames goes on.
  setInterval(() => {
    for (const [video, { handle, since, frames }] of watched) {
      if (performance.now() - since < FORGOTTEN_MS) continue;
      if (framesOf(video) > frames) shown(video);
      video.cancelVideoFrameCallback(handle);
      if (video.isConnected) awaitFrame(video);
      else watched.delete(video);
    }
  }, 100);

  new MutationObserver(() => document.querySelectorAll('.tile video').forEach(follow)).observe(document, { childList: true, subtree: true });

  const flaws = new Map();
  setInterval(() => {
    const { motet } = window;
    if (motet?.state !== 'joined') return;
    window.recorder.joinedAt ||= performance.now();
    for (const { id, camera } of Object.values(motet.quality())) {
      if (!camera) continue;
      const now = { key: camera.key, concealed: camera.audio?.concealedSamples ?? 0, freezes: camera.video?.freezeCount ?? 0 };
      const entry = flaws.get(id) ?? { before: now, concealed: 0, freezes: 0 };
      flaws.set(id, entry);
      if (entry.before.key === now.key) {
        entry.concealed += Math.max(0, now.concealed - entry.before.concealed);
        entry.freezes += Math.max(0, now.freezes - entry.before.freezes);
      }
      entry.before = now;
    }
  }, 200);

  window.recorder = {
    /** When the room was joined, to 200 ms; 0 before. */
    joinedAt: 0,
    /** Begins a new stretch of time. */
    reset() {
      for (const entry of tiles.values()) entry.longest = 0;
      for (const entry of flaws.values()) entry.concealed = entry.freezes = 0;
    },
    /**
     * By member: the longest time between two frames up to now, in ms; samples concealed; freezes. The
     * own picture never travels: it stands still only as long as the machine does.
     */
    read() {
      const now = performance.now();
      return Object.fromEntries(
        [...tiles.keys()].map((id) => {
          const { longest, last, first } = tiles.get(id);
          const { concealed = 0, freezes = 0 } = flaws.get(id) ?? {};
          return [id, { gap: Math.round(Math.max(longest, now - last)), first, concealed, freezes }];
        }),
      );
    },
  };
}
