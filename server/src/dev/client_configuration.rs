//! What a user pastes into an MCP client to reach a development server.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

/// A ready client configuration: one `mcpServers` entry with the URL and the token. Ends with a newline.
///
/// The text is for the user's terminal only: it holds the token.
pub fn client_configuration(url: &str, token: &SecretString) -> String {
    let entry = json!({
        "type": "http",
        "url": url,
        "headers": { "Authorization": format!("Bearer {}", token.expose_secret()) },
    });
    let document = json!({ "mcpServers": { "mcp-foundry-dev": entry } });
    format!("{document:#}\n")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn the_configuration_can_be_pasted_into_a_client() {
        let text = client_configuration("http://127.0.0.1:8080/mcp", &"a.b.c".to_owned().into());
        expect![[r#"
            {
              "mcpServers": {
                "mcp-foundry-dev": {
                  "headers": {
                    "Authorization": "Bearer a.b.c"
                  },
                  "type": "http",
                  "url": "http://127.0.0.1:8080/mcp"
                }
              }
            }
        "#]]
        .assert_eq(&text);
    }
}
