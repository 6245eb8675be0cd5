// Who is signed in, in the frame of every page: signing out.
import { say } from "./dom.js";
import { postSignOut } from "./net.js";

document.getElementById("sign-out")?.addEventListener("click", async () => {
  try {
    await postSignOut();
    location.assign("/sign-in");
  } catch (error) {
    say(error.message, { error: true });
  }
});
