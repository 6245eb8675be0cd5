// Turning messages on and off.
import { byId, pageData, say } from "./dom.js";
import { post } from "./net.js";

const { signed_in: signedIn, token } = pageData();
const tell = (text) => {
  byId("state").textContent = text;
};

async function attempt(button, act) {
  button.disabled = true;
  try {
    await act();
  } catch (error) {
    say(error.message, { error: true });
  }
  button.disabled = false;
}

const who = () => (signedIn ? {} : { person: byId("name").value.trim() });
const lines = (text) => text.split("\n").map((each) => each.trim()).filter(Boolean);

async function turnOn() {
  const wish = await post("/api/messages", {
    ...who(), way: byId("way").value, address: byId("address")?.value.trim() ?? "", often: byId("often").value, projects: lines(byId("projects").value),
  });
  tell(`${wish.person} gets them by ${wish.way}${wish.address ? ` to ${wish.address}` : ""}, ${wish.often}.`);
}

async function turnOff() {
  const { ended } = await post("/api/messages/end", who());
  tell(ended ? "They are turned off." : "There were none.");
}

async function stop() {
  await post("/api/messages/stop", { token });
  byId("stop").remove();
  tell("They are stopped.");
}

byId("wish")?.addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(event.submitter, turnOn);
});
byId("end")?.addEventListener("click", (event) => attempt(event.currentTarget, turnOff));
byId("stop")?.addEventListener("click", (event) => attempt(event.currentTarget, stop));
