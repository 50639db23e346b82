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
    const address = new URL(location.href);
    // What a form had just done is no news any more.
    if (address.searchParams.has("done")) {
      address.searchParams.delete("done");
      location.replace(address);
    } else {
      location.reload();
    }
  });
}
