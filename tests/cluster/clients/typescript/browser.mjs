// The browser of a person, as far as Keycloak's pages need one: cookies, redirects, the login form and the consent form.

/** More pages than there are: login, consent, and the redirects between them. */
const MOST_PAGES = 10;

/** Goes to `authorization`, fills in the forms, and answers the parameters that `redirect` was reached with. */
export async function signIn(authorization, redirect, person, password) {
  const cookies = new Map();
  let [target, form] = [new URL(authorization), null];
  for (let page = 0; page < MOST_PAGES; page += 1) {
    if (target.origin + target.pathname === redirect) return target.searchParams;
    const response = await fetch(target, {
      method: form ? "POST" : "GET",
      body: form,
      redirect: "manual",
      headers: { Cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; ") },
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name, value] = cookie.match(/^([^=]+)=([^;]*)/);
      cookies.set(name, value);
    }
    const location = response.headers.get("location");
    if (location) {
      [target, form] = [new URL(location, target), null];
    } else {
      [target, form] = filled(await response.text(), target, person, password);
    }
  }
  throw new Error(`${redirect} was not reached in ${MOST_PAGES} pages`);
}

/** Where the page's form goes, and what a person puts into it. */
function filled(html, base, person, password) {
  const action = html.match(/<form[^>]*\saction="([^"]+)"/)?.[1]?.replaceAll("&amp;", "&");
  if (!action) throw new Error(`a page without a form: ${html.replace(/<[^>]*>/g, " ").replace(/\s+/g, " ").slice(0, 300)}`);
  const target = new URL(action, base);
  if (html.includes('name="password"')) {
    return [target, new URLSearchParams({ username: person, password })];
  }
  const code = html.match(/name="code" value="([^"]*)"/)?.[1];
  if (html.includes('name="accept"')) return [target, new URLSearchParams({ code: code ?? "", accept: "Yes" })];
  throw new Error(`a form that nobody knows: ${target.pathname}`);
}
