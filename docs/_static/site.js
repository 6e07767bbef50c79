// Keep the current lesson in sight in the sidebar (the theme keeps the old scroll position)
addEventListener("load", () => {
  const bar = document.querySelector(".bd-sidebar-primary");
  const here = bar && bar.querySelector("li.current.active > a, a.current");
  if (!here) return;
  const box = bar.getBoundingClientRect(), at = here.getBoundingClientRect();
  if (at.top < box.top || at.bottom > Math.min(box.bottom, innerHeight))
    bar.scrollTop += at.top - box.top - innerHeight/3;
});
