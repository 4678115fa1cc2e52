//! A person's browser as far as Keycloak's login page needs one: cookies, one form, and the redirect at the end.
//!
//! Nobody listens where the redirect leads: it is read, not followed.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use reqwest::{
    Client, RequestBuilder, Response,
    header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE},
};
use url::{Url, form_urlencoded::Serializer};

pub(super) struct Browser<'a> {
    http: &'a Client,
    cookies: BTreeMap<String, String>,
}

impl<'a> Browser<'a> {
    pub(super) fn new(http: &'a Client) -> Self {
        Self { http, cookies: BTreeMap::new() }
    }

    /// Opens the login page, fills it in, and answers where the person is sent to.
    pub(super) async fn sign_in(&mut self, authorization: Url, name: &str, password: &str) -> Result<Url> {
        let page = self.send(self.http.get(authorization)).await?;
        let html = page.text().await?;
        let action = form_action(&html).with_context(|| format!("the login page has no form: {html}"))?;
        let form = [("username", name), ("password", password)];
        let response = self.send(with_form(self.http.post(action), &form)).await?;
        redirect(response).await
    }

    /// Where a request that needs no person is sent to.
    pub(super) async fn redirected(&mut self, authorization: Url) -> Result<Url> {
        redirect(self.send(self.http.get(authorization)).await?).await
    }

    async fn send(&mut self, request: RequestBuilder) -> Result<Response> {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let response = request.header(COOKIE, cookies.join("; ")).send().await.context("Keycloak does not answer")?;
        for cookie in response.headers().get_all(SET_COOKIE) {
            let pair = cookie.to_str()?.split(';').next().and_then(|pair| pair.split_once('='));
            self.cookies.extend(pair.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
        Ok(response)
    }
}

/// A request that sends a form.
pub(super) fn with_form(request: RequestBuilder, form: &[(&str, &str)]) -> RequestBuilder {
    let body = Serializer::new(String::new()).extend_pairs(form).finish();
    request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body)
}

async fn redirect(response: Response) -> Result<Url> {
    match response.headers().get(LOCATION) {
        Some(location) => Ok(Url::parse(location.to_str()?)?),
        None => bail!("no redirect, but {}: {}", response.status(), response.text().await?),
    }
}

/// Where the only form of the page goes.
fn form_action(html: &str) -> Option<String> {
    let (_, form) = html.split_once("<form")?;
    let (tag, _) = form.split_once('>')?;
    let (_, action) = tag.split_once("action=\"")?;
    let (action, _) = action.split_once('"')?;
    Some(action.replace("&amp;", "&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forms_action_is_read_out_of_its_page() {
        let page =
            r#"<p><form id="kc-form-login" action="https://a.test/login?a=1&amp;b=2" method="post"><input></form>"#;
        assert_eq!(form_action(page).as_deref(), Some("https://a.test/login?a=1&b=2"));
        assert_eq!(form_action("<p>Nothing</p>"), None);
    }
}
