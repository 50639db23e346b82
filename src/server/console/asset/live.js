// Shows how far a run is while it runs; without this the page says how it stood when it was loaded.
"use strict";
for (const place of document.querySelectorAll("[data-progress]")) {
  const source = new EventSource(place.dataset.progress);
  source.addEventListener("progress", (event) => {
    const news = JSON.parse(event.data);
    for (const field of place.querySelectorAll("[data-field]")) {
      const value = news[field.dataset.field];
      if (value !== undefined) field.textContent = value;
    }
    const bar = place.querySelector("progress");
    if (bar && news.total > 0) {
      bar.max = news.total;
      bar.value = news.repaired;
    }
  });
  source.addEventListener("end", () => {
    source.close();
    location.reload();
  });
}
