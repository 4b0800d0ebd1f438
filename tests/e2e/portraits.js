// Drawn people and a drawn slide, as video tracks, for pictures of the page; runs in the browser.

const PALETTES = [['#274060', '#5d8aa8'], ['#3b5249', '#a4b494'], ['#6d435a', '#c9a690'], ['#2d3142', '#bfc0c0'], ['#4a4e69', '#c9ada7'], ['#335c67', '#e09f3e']];

/** @param {number} at which one */
export function portrait(at, frames = 2) {
  const [dark, light] = PALETTES[at % PALETTES.length];
  return picture(640, 360, frames, (pen) => {
    const wall = pen.createLinearGradient(0, 0, 640, 360);
    wall.addColorStop(0, light);
    wall.addColorStop(1, dark);
    pen.fillStyle = wall;
    pen.fillRect(0, 0, 640, 360);
    pen.fillStyle = 'rgb(255 255 255 / 12%)';
    pen.fillRect(60 + ((at * 97) % 400), 40, 110, 150);
    pen.fillStyle = dark;
    pen.beginPath();
    pen.ellipse(320, 390, 165, 150, 0, 0, 7);
    pen.fill();
    pen.fillStyle = ['#e0ac88', '#8d5a3b', '#c68863', '#f0c9a8'][at % 4];
    pen.beginPath();
    pen.ellipse(320, 180, 66, 84, 0, 0, 7);
    pen.fill();
    pen.fillStyle = ['#2b1b12', '#6b4423', '#1b1b1f', '#b08d57'][(at * 3) % 4];
    pen.beginPath();
    pen.ellipse(320, 125, 74, 50, 0, 0, 7);
    pen.fill();
  });
}

export function slide() {
  return picture(1280, 720, 2, (pen) => {
    pen.fillStyle = '#fdfdfb';
    pen.fillRect(0, 0, 1280, 720);
    pen.fillStyle = '#16211f';
    pen.font = '600 58px sans-serif';
    pen.fillText('Rehearsal plan', 90, 130);
    pen.font = '34px sans-serif';
    ['Warm-up, ten minutes', 'Second voice alone, bars 12 to 40', 'Everyone, slowly', 'Everyone, as written'].forEach((line, at) => pen.fillText(`${at + 1}.  ${line}`, 90, 230 + at * 76));
    pen.fillStyle = '#0f766e';
    for (let at = 0; at < 6; at += 1) pen.fillRect(820 + at * 60, 620 - at * 55, 40, at * 55 + 30);
  });
}

function picture(width, height, frames, draw) {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  const pen = canvas.getContext('2d');
  draw(pen);
  const track = canvas.captureStream(frames).getVideoTracks()[0];
  // A canvas sends a frame when it is drawn on.
  const timer = setInterval(() => draw(pen), 1_000 / frames);
  track.addEventListener('ended', () => clearInterval(timer));
  return track;
}
