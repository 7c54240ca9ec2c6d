/** The smallest letters on a slide, relative to their normal size. */
const smallest = 0.4;

/** Shrinks a page's letters until its content fits. */
export function fit(page: HTMLElement): void {
  if (page.clientHeight === 0) return; // it is not laid out
  let low = smallest;
  let high = 1;
  const fits = (scale: number): boolean => {
    page.style.setProperty("--letters", String(scale));
    return page.scrollHeight <= page.clientHeight + 1 && page.scrollWidth <= page.clientWidth + 1 && inside(page);
  };
  if (fits(1)) return;
  for (let i = 0; i < 6; i++) {
    const middle = (low + high) / 2;
    if (fits(middle)) {
      low = middle;
    } else {
      high = middle;
    }
  }
  fits(low);
}

/** Whether wide things, such as code, are inside the page too: what scrolls does not make the page wider. */
function inside(page: HTMLElement): boolean {
  for (const e of page.querySelectorAll<HTMLElement>("pre, table")) {
    if (e.scrollWidth > e.clientWidth + 1) return false;
  }
  return true;
}
