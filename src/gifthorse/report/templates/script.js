"use strict";
(() => {
  const all = (query, root = document) => [...root.querySelectorAll(query)];

  // Tables: a button in every heading of a single column; without this script they are plain tables.
  const value = (row, column) => {
    const cell = row.cells[column];
    const raw = cell ? cell.dataset.sort ?? cell.textContent.trim() : "";
    const number = Number(raw);
    return raw !== "" && Number.isFinite(number) ? number : raw;
  };
  const compare = (a, b) =>
    typeof a === typeof b ? (typeof a === "number" ? a - b : a.localeCompare(b)) : typeof a === "number" ? -1 : 1;
  for (const table of all("table.sortable")) {
    for (const heading of all("th[data-column]", table)) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => {
        const up = heading.getAttribute("aria-sort") === "descending";
        all("th[aria-sort]", table).forEach((other) => other.removeAttribute("aria-sort"));
        heading.setAttribute("aria-sort", up ? "ascending" : "descending");
        const column = Number(heading.dataset.column);
        const body = table.tBodies[0];
        const rows = [...body.rows].map((row) => [value(row, column), row]);
        rows.sort(([a], [b]) => (up ? compare(a, b) : compare(b, a)));
        body.append(...rows.map(([, row]) => row));
      });
    }
  }

  // A table that goes on to the right fades there.
  for (const region of all(".scroll")) {
    const look = () =>
      region.classList.toggle("more", region.scrollWidth - region.clientWidth - region.scrollLeft > 4);
    region.addEventListener("scroll", look, { passive: true });
    new ResizeObserver(look).observe(region);
  }

  // Pictures: one stop for each strip; Enter or a click looks closer, arrows walk on.
  const dialog = document.querySelector("dialog");
  const [shown, told] = [dialog.querySelector("img"), dialog.querySelector("p")];
  let strip = [];
  let place = 0;
  const show = (index) => {
    place = (index + strip.length) % strip.length;
    const picture = strip[place];
    shown.src = picture.src;
    shown.alt = picture.alt;
    shown.className = picture.naturalWidth < 200 ? `${picture.className} crisp` : picture.className;
    told.textContent = `${picture.alt} (${picture.title})`;
    if (!dialog.open) dialog.showModal();
  };
  for (const group of all("[data-zoom]")) {
    group.tabIndex = 0;
    const open = (index) => {
      strip = all("img", group);
      if (strip.length) show(index);
    };
    group.addEventListener("click", (event) => {
      if (event.target instanceof HTMLImageElement) open(all("img", group).indexOf(event.target));
    });
    group.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.target !== group) return;
      event.preventDefault(); // or the same key press would close the dialog by its button
      open(0);
    });
  }
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowRight") show(place + 1);
    if (event.key === "ArrowLeft") show(place - 1);
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.querySelector("button").addEventListener("click", () => dialog.close());

  // A number's record opens itself; paper shows what is folded.
  const unfold = () => {
    const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    for (let node = target; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
    if (target) target.scrollIntoView();
  };
  addEventListener("hashchange", unfold);
  unfold();
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = all("details:not([open]):not(.bulk)");
    folded.forEach((node) => (node.open = true));
  });
  addEventListener("afterprint", () => folded.forEach((node) => (node.open = false)));
})();
