// The page on which a person with an account signs in.
import { byId, pageData } from "./dom.js";
import { postSignIn } from "./net.js";

const form = byId("sign-in");

async function signIn() {
  const button = form.querySelector("button");
  button.disabled = true;
  byId("refused").textContent = "";
  try {
    await postSignIn({ name: byId("name").value.trim(), password: byId("password").value });
    location.assign(pageData().next);
  } catch (error) {
    byId("refused").textContent = error.message;
    button.disabled = false;
    byId("password").select();
  }
}

form?.addEventListener("submit", (event) => {
  event.preventDefault();
  signIn();
});
