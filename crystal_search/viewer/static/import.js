// What an import would do: the button that does it.
import { byId, pageData, say } from "./dom.js";
import { postImport } from "./net.js";

const button = byId("confirm");

async function confirm() {
  button.disabled = true;
  byId("done").textContent = "Importing …";
  try {
    byId("done").textContent = (await postImport(pageData().made_at)).said;
  } catch (error) {
    byId("done").textContent = "";
    button.disabled = false;
    say(error.message, { error: true });
  }
}

if (button) button.onclick = confirm;
