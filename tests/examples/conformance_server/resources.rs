//! Resources: fixed ones, one by template, and one that changes.

use serde_json::json;
use server::features::{Answer, FeatureError, OfferedResource, OfferedTemplate, Outcome, ResourceOutcome};

use crate::{
    content::{PNG, contents, text_contents},
    lists::Lists,
};

/// The one that clients subscribe to.
pub(crate) const WATCHED: &str = "test://watched-resource";

const TEXT: &str = "test://static-text";
const BINARY: &str = "test://static-binary";
pub(crate) const TEMPLATE: &str = "test://template/{id}/data";

pub(crate) fn offered() -> Vec<OfferedResource> {
    vec![
        resource(TEXT, "Static text", "A text that never changes", "text/plain"),
        resource(BINARY, "Static binary", "An image of one pixel", "image/png"),
        resource(WATCHED, "Watched resource", "Changes when test_trigger_resource_change is called", "text/plain"),
    ]
}

pub(crate) fn templates() -> Vec<OfferedTemplate> {
    let definition = json!({
        "uriTemplate": TEMPLATE,
        "name": "Template",
        "description": "Data for an id",
        "mimeType": "application/json",
    });
    vec![OfferedTemplate::own(TEMPLATE, &definition)]
}

pub(crate) fn read(lists: &Lists, uri: &str) -> Outcome<ResourceOutcome> {
    let content = match uri {
        TEXT => text_contents(uri, "text/plain", "This is the content of the static text resource."),
        BINARY => json!({ "uri": uri, "mimeType": "image/png", "blob": PNG }),
        WATCHED => text_contents(uri, "text/plain", &format!("Watched resource content, version {}", lists.version())),
        _ => {
            let id = template_id(uri).ok_or(FeatureError::NotFound)?;
            let data = json!({ "id": id, "templateTest": true, "data": format!("Data for ID: {id}") });
            text_contents(uri, "application/json", &data.to_string())
        }
    };
    Ok(Answer::Complete(contents(content)))
}

/// What stands for `{id}`: one segment, not empty.
fn template_id(uri: &str) -> Option<&str> {
    let id = uri.strip_prefix("test://template/")?.strip_suffix("/data")?;
    (!id.is_empty() && !id.contains('/')).then_some(id)
}

fn resource(uri: &str, name: &str, description: &str, mime_type: &str) -> OfferedResource {
    OfferedResource::own(uri, &json!({ "uri": uri, "name": name, "description": description, "mimeType": mime_type }))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use server::features::Changes;

    use super::*;

    fn text_of(uri: &str) -> Option<String> {
        let lists = Lists::new(Changes::default());
        match read(&lists, uri) {
            Ok(Answer::Complete(ResourceOutcome { contents })) => {
                let contents: Value = serde_json::from_str(contents.get()).unwrap();
                assert_eq!(contents[0]["uri"], uri);
                Some(contents[0]["text"].as_str().or_else(|| contents[0]["blob"].as_str()).unwrap().to_owned())
            }
            Ok(Answer::InputRequired(_)) => panic!("resources ask nothing"),
            Err(error) => {
                assert_eq!(error, FeatureError::NotFound);
                None
            }
        }
    }

    #[test]
    fn what_is_listed_can_be_read() {
        assert!(offered().iter().all(|resource| text_of(&resource.uri).is_some()));
        assert!(text_of("test://template/123/data").unwrap().contains(r#""id":"123""#));
    }

    #[test]
    fn a_template_takes_one_segment_and_the_rest_does_not_exist() {
        for uri in ["test://template//data", "test://template/1/2/data", "test://template/1", "test://other"] {
            assert_eq!(text_of(uri), None);
        }
    }
}
