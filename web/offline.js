// For the page that is kept for when there is no connection (it imports nothing: modules are not kept), and the one
// for an address that is none.

/** @returns {{language?: string, theme?: string}} as settings.js keeps it */
function chosen() {
  try {
    return JSON.parse(localStorage.getItem('motet') ?? '{}') ?? {};
  } catch {
    return {};
  }
}

/** @param {string | undefined} language */
function speak(language) {
  const sections = [...document.querySelectorAll('section')];
  const wanted = [language ?? '', ...navigator.languages].map((tag) => tag.toLowerCase().split('-')[0]);
  const known = wanted.find((tag) => sections.some(({ lang }) => lang === tag)) ?? 'en';
  document.documentElement.lang = known;
  for (const section of sections) section.hidden = section.lang !== known;
}

const { language, theme } = chosen();
const isDark = theme === 'dark' || (theme !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
document.documentElement.dataset.theme = isDark ? 'dark' : 'light';
speak(language);
for (const button of document.querySelectorAll('button')) button.onclick = () => location.reload();
addEventListener('online', () => location.reload());
