"use strict";
const trouble = document.getElementById("trouble");

document.getElementById("enter").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const response = await fetch("/enter", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ name: document.getElementById("name").value }),
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error);
    location.assign(answer.address);
  } catch (error) {
    trouble.textContent = error.message;
    trouble.hidden = false;
  }
});
