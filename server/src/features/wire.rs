//! A definition as each revision reads it: made once, when the catalog is built.
//!
//! The newest revision gets what the provider wrote, byte for byte; older ones get it without the members that they
//! do not know or would misread. Source: spec digest, section 3.2.

use serde_json::value::RawValue;

use crate::{json::Object, protocol::ProtocolVersion};

/// One definition in all its forms. A form that equals the one before it is not kept.
#[derive(Debug)]
pub(super) struct Wire {
    modern: Box<RawValue>,
    v2025_11_25: Option<Box<RawValue>>,
    v2025_06_18: Option<Box<RawValue>>,
    v2025_03_26: Option<Box<RawValue>>,
}

impl Wire {
    /// All forms of `definition`, which is an object.
    pub(super) fn new(definition: Box<RawValue>) -> Self {
        let (mut v2025_11_25, mut v2025_06_18, mut v2025_03_26) = (None, None, None);
        if let Some(members) = Object::parse(definition.get()) {
            // Before 2026-07-28 only objects are structured content.
            let output_is_object = members.get("outputSchema").is_none_or(is_object_schema);
            let unread = |name: &str| name == "outputSchema" && !output_is_object;
            let unknown_to_06 = |name: &str| unread(name) || name == "icons";
            let unknown_to_03 =
                |name: &str| unknown_to_06(name) || matches!(name, "outputSchema" | "title" | "_meta" | "execution");
            let has = |dropped: &dyn Fn(&str) -> bool| members.members().iter().any(|member| dropped(&member.name));
            v2025_11_25 = has(&unread).then(|| members.without(unread));
            v2025_06_18 = has(&unknown_to_06).then(|| members.without(unknown_to_06));
            v2025_03_26 = has(&unknown_to_03).then(|| members.without(unknown_to_03));
        }
        Self { modern: definition, v2025_11_25, v2025_06_18, v2025_03_26 }
    }

    /// As `version` reads it.
    pub(super) fn of(&self, version: ProtocolVersion) -> &RawValue {
        let own = match version {
            ProtocolVersion::V2026_07_28 => &None,
            ProtocolVersion::V2025_11_25 => &self.v2025_11_25,
            ProtocolVersion::V2025_06_18 => &self.v2025_06_18,
            ProtocolVersion::V2025_03_26 => &self.v2025_03_26,
        };
        own.as_deref().unwrap_or(&self.modern)
    }
}

fn is_object_schema(schema: &RawValue) -> bool {
    Object::parse(schema.get()).and_then(|schema| schema.get("type")).is_some_and(|kind| kind.get() == r#""object""#)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forms(definition: &str) -> [String; 4] {
        let wire = Wire::new(RawValue::from_string(definition.to_owned()).unwrap());
        ProtocolVersion::ALL.map(|version| wire.of(version).get().to_owned())
    }

    #[test]
    fn each_revision_gets_what_it_knows() {
        let all = r#"{"name":"a","title":"A","icons":[],"outputSchema":{"type":"object"}}"#;
        let [modern, latest, middle, first] = forms(all);
        assert_eq!((modern.as_str(), latest.as_str()), (all, all));
        assert_eq!(middle, r#"{"name":"a","title":"A","outputSchema":{"type":"object"}}"#);
        assert_eq!(first, r#"{"name":"a"}"#);
    }

    #[test]
    fn an_output_that_is_no_object_is_for_the_modern_era_alone() {
        let [modern, latest, ..] = forms(r#"{"name":"a","outputSchema":{"type":"array"}}"#);
        assert_eq!(modern, r#"{"name":"a","outputSchema":{"type":"array"}}"#);
        assert_eq!(latest, r#"{"name":"a"}"#);
    }
}
