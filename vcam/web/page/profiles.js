// Profiles: what is set now gets a name, and is gone over to by it.
import { html, useState } from "./preact.js";
import { W } from "./words.js";
import { ask, call, change, state } from "./net.js";

const told = (error) => [error.message, error.hint].filter(Boolean).join(": ");

export function Profiles() {
  const [name, call_it] = useState("");
  const [trouble, mind] = useState(["", ""]);
  const { profiles, profile } = state.settings;
  const work = (where, act) => async () => {
    mind(["", ""]);
    try {
      await act();
    } catch (error) {
      mind([where, told(error)]);
    }
  };
  const use = (to) => work(to, () => call("profile", { name: to }));
  const save = (to, anew) =>
    work(anew ? to : "", async () => {
      const { left, place } = await ask("/api/profile/make", { name: to, anew });
      change({ note: `${W.kept} ${place}${left.length ? ` ${W.not_kept} ${left.join(", ")}` : ""}` });
      if (!anew) {
        call_it("");
        await call("profile", { name: to.trim() });
      }
    });
  const remove = (which) =>
    work(which, async () => {
      if (confirm(`${W.remove_sure} ${which}?`)) await ask("/api/profile/remove", { name: which });
    });
  const make = (event) => {
    event.preventDefault();
    save(name, false)();
  };
  return html`<h2>${W.profiles}</h2>
    <ul class="plain profiles">
      ${profiles.length > 0 && html`<li class="out"><span class=${`dot ${profile ? "" : "on"}`}></span><div><strong>${W.no_profile}</strong></div>
        <button disabled=${!profile} aria-label=${`${W.use}: ${W.no_profile}`} onClick=${use("")}>${W.use}</button></li>`}
      ${profiles.map((each) => html`<li key=${each}><div class="out"><span class=${`dot ${each === profile ? "on" : ""}`}></span><div><strong>${each}</strong></div>
        <span class="buttons"><button disabled=${each === profile} aria-label=${`${W.use}: ${each}`} onClick=${use(each)}>${W.use}</button>
          <button aria-label=${`${W.save_into} ${each}`} onClick=${save(each, true)}>${W.save}</button>
          <button class="quiet" disabled=${each === profile} aria-label=${`${W.remove}: ${each}`} onClick=${remove(each)}>${W.remove}</button></span></div>
        ${trouble[0] === each && trouble[1] && html`<p class="error" role="alert">${trouble[1]}</p>`}</li>`)}</ul>
    <form class="row" onSubmit=${make}><label for="profile-name">${W.make_profile}</label>
      <input id="profile-name" type="text" maxlength="40" placeholder=${W.profile_example} value=${name} onInput=${(e) => call_it(e.target.value)} />
      <button disabled=${!name.trim() || !!state.gone}>${W.make}</button></form>
    ${!trouble[0] && trouble[1] && html`<p class="error" role="alert">${trouble[1]}</p>`}
    <p class="help">${W.profile_hint}</p>`;
}
