//! The list of tools: every page of it, bounded, under public names, byte for byte.

use super::{
    fake::{Received, Reply, answer},
    support::{Running, modern, timing},
};

/// A modern upstream whose pages are what `page` makes of the cursor.
fn pages(page: impl Fn(Option<&str>) -> String + Send + Sync + 'static) -> impl Fn(&Received) -> Reply + Send + Sync {
    let rest = modern("[]", |_| Reply::status(404, ""));
    move |received| match received.method() {
        "tools/list" => Reply::result(received, &page(received.body["params"]["cursor"].as_str())),
        _ => rest(received),
    }
}

fn tool(name: &str) -> String {
    format!(r#"{{"name":"{name}","inputSchema":{{"type":"object"}}}}"#)
}

#[tokio::test]
async fn definitions_keep_every_byte_but_the_name() {
    let tools = r#"[{"inputSchema": {"type":"object","$defs":{"a":{"const":1.50}}}, "x-new":[ true ],"name":"a.b-C_d","description":"\u0041 \u00e4ä"},
        {"name":"up__a","inputSchema":{"type":"object"}}]"#;
    let running = Running::start(modern(tools, |_| Reply::status(404, ""))).await;
    let expected = [
        (
            "up__a.b-C_d",
            r#"{"inputSchema": {"type":"object","$defs":{"a":{"const":1.50}}}, "x-new":[ true ],"name":"up__a.b-C_d","description":"\u0041 \u00e4ä"}"#,
        ),
        ("up__up__a", r#"{"name":"up__up__a","inputSchema":{"type":"object"}}"#),
    ];
    assert_eq!(running.tools(), expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
    let offer = crate::features::Provider::offer(&*running.upstream);
    assert!(!offer.tools[0].checked);
    assert_eq!(offer.tools[0].deadline, super::fake::SOON);
}

#[tokio::test]
async fn a_line_break_between_tokens_becomes_a_space() {
    let tools = "[{\r\n\t\"name\":\"a\",\n\"inputSchema\":{\"type\":\"object\"}}]";
    let running = Running::start(modern(tools, |_| Reply::status(404, ""))).await;
    let expected = "{  \t\"name\":\"up__a\", \"inputSchema\":{\"type\":\"object\"}}";
    assert_eq!(running.tools(), [("up__a".to_owned(), expected.to_owned())]);
}

#[tokio::test]
async fn all_pages_are_followed_in_order_with_cursors_as_they_came() {
    let running = Running::start(pages(|cursor| match cursor {
        None => format!(r#"{{"tools":[{}],"nextCursor":""}}"#, tool("a")),
        Some("") => format!(r#"{{"tools":[{}],"nextCursor":"\u00e4\""}}"#, tool("b")),
        Some("ä\"") => format!(r#"{{"tools":[{}],"nextCursor":null}}"#, tool("c")),
        Some(other) => panic!("{other}"),
    }))
    .await;
    let names: Vec<_> = running.tools().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["up__a", "up__b", "up__c"]);
}

#[tokio::test]
async fn what_cannot_be_offered_is_left_out_and_counted() {
    let tools = format!(r#"[{},{{"name":"no schema"}},{},7,{}]"#, tool("a"), tool("a"), tool("a/b"));
    let running = Running::start(modern(&tools, |_| Reply::status(404, ""))).await;
    let report = running.upstream.report();
    assert_eq!((report.tools, report.problem_count, report.ready), (1, 4, true));
    assert_eq!(
        report.problems,
        [
            "tool 1 of the list is not offered: its name does not fit: with the upstream's it must be 1 to 128 of A-Za-z0-9_.-",
            "tool 2 of the list is not offered: one before it has its name",
            "tool 3 of the list is not offered: it is no JSON object",
            "tool 4 of the list is not offered: its name does not fit: with the upstream's it must be 1 to 128 of A-Za-z0-9_.-",
        ]
    );
}

#[tokio::test]
async fn pages_and_tools_have_bounds() {
    let running = Running::start(pages(|cursor| {
        let number = cursor.map_or(0, |cursor| cursor.parse::<usize>().unwrap());
        format!(r#"{{"tools":[{}],"nextCursor":"{}"}}"#, tool(&format!("t{number}")), number + 1)
    }))
    .await;
    assert_eq!(running.upstream.report().problems, ["the list has more than 100 pages; the rest is not offered"]);
    assert_eq!(running.fake.received("tools/list").len(), 100);

    let running = Running::start(pages(|cursor| {
        let from = cursor.map_or(0, |cursor| cursor.parse::<usize>().unwrap());
        let tools: Vec<_> = (from..from + 400).map(|number| tool(&format!("t{number}"))).collect();
        format!(r#"{{"tools":[{}],"nextCursor":"{}"}}"#, tools.join(","), from + 400)
    }))
    .await;
    let report = running.upstream.report();
    assert_eq!((report.tools, report.problem_count), (1000, 1));
    assert_eq!(running.fake.received("tools/list").len(), 3);
}

#[tokio::test]
async fn a_list_that_is_too_large_or_turns_in_circles_is_refused() {
    let large = pages(|cursor| {
        let next = format!("{}+", cursor.unwrap_or_default());
        format!(r#"{{"tools":[],"x":"{}","nextCursor":"{next}"}}"#, "x".repeat(1 << 20))
    });
    let circle = pages(|_| r#"{"tools":[],"nextCursor":"again"}"#.to_owned());
    let no_list = pages(|_| "{}".to_owned());
    for (handler, expected) in [
        (Box::new(large) as Box<dyn Fn(&Received) -> Reply + Send + Sync>, "gave an answer that is too large"),
        (Box::new(circle), "gave an answer that is malformed"),
        (Box::new(no_list), "gave an answer that is malformed"),
    ] {
        let running = Running::start_with(timing(), handler).await;
        running.until_failed().await;
        assert_eq!(running.upstream.report().last_error.as_deref(), Some(expected));
    }
}

#[tokio::test]
async fn an_upstream_without_the_method_has_no_tools() {
    let rest = modern("[]", |_| Reply::status(404, ""));
    let running = Running::start(move |received| match received.method() {
        "tools/list" => Reply::error(404, received, -32601),
        _ => rest(received),
    })
    .await;
    assert_eq!((running.upstream.report().tools, running.upstream.report().ready), (0, true));
}

#[tokio::test]
async fn an_unexpected_body_is_no_list() {
    let rest = modern("[]", |_| Reply::status(404, ""));
    let running = Running::start_with(timing(), move |received| match received.method() {
        "tools/list" => Reply::json(&answer(received, "{")),
        _ => rest(received),
    })
    .await;
    running.until_failed().await;
    assert_eq!(running.upstream.report().last_error.as_deref(), Some("gave an answer that is malformed"));
}
