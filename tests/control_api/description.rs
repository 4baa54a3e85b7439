//! `/v1/openapi.json`: made from the types, so it must list what exists and describe what is answered.

use serde_json::Value;

use crate::http::{ask, get, put};
use crate::puppet::{House, Mood};

const ROUTES: [(&str, &str); 13] = [
    ("get", "/healthz"),
    ("get", "/metrics"),
    ("put", "/v1/camera"),
    ("get", "/v1/events"),
    ("post", "/v1/join"),
    ("post", "/v1/keyframe"),
    ("post", "/v1/leave"),
    ("put", "/v1/mic"),
    ("get", "/v1/openapi.json"),
    ("post", "/v1/reload"),
    ("post", "/v1/say"),
    ("get", "/v1/snapshot.jpg"),
    ("get", "/v1/status"),
];

async fn document(house: &House) -> Value {
    let answer = get(&house.socket, "/v1/openapi.json").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    answer.json()
}

#[tokio::test]
async fn it_lists_every_route_and_no_other() {
    let house = House::open();
    let document = document(&house).await;

    let mut listed = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, what) in methods.as_object().unwrap() {
            assert!(what["summary"].as_str().is_some_and(|text| !text.is_empty()), "{method} {path}");
            listed.push((method.as_str(), path.as_str()));
        }
    }
    listed.sort_by_key(|(_, path)| *path);
    assert_eq!(listed, ROUTES);
    for (method, path) in ROUTES {
        // Any other method, so that nothing is waited for: what exists knows its own.
        let answer = ask(&house.socket, "PATCH", path, "", "").await;
        assert_eq!(answer.status, 405, "{path}");
        assert!(answer.header("allow").unwrap().to_lowercase().contains(method), "{method} {path}");
    }
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn answers_are_as_it_says() {
    let house = House::open();
    let document = document(&house).await;
    let mut answers = Vec::new();
    for mood in [Mood::Willing, Mood::Refusing] {
        house.feel(mood).await;
        for (method, path) in ROUTES {
            if path != "/v1/events" && method != "put" {
                let answer = ask(&house.socket, &method.to_uppercase(), path, "", "").await;
                answers.push((method, path, answer));
            }
        }
        for (path, body) in [("/v1/camera", r#"{"on":true}"#), ("/v1/mic", r#"{"muted":true}"#)] {
            answers.push(("put", path, put(&house.socket, path, body).await));
            answers.push(("put", path, put(&house.socket, path, "").await));
        }
    }
    for (method, path, answer) in answers {
        let place = format!("{method} {path} {}", answer.status);
        let said = &document["paths"][path][method]["responses"][answer.status.to_string()]["content"];
        let content_type = answer.header("content-type").unwrap().split(';').next().unwrap();
        let schema = &said[content_type]["schema"];
        assert!(schema.is_object(), "{place} {content_type} is not in the document: {said}");
        if content_type == "application/json" {
            fits(&answer.json(), schema, &document).unwrap_or_else(|why| panic!("{place}: {why}"));
        }
    }
}

/// Whether a value is what a schema says, as far as our document uses JSON Schema.
fn fits(value: &Value, schema: &Value, document: &Value) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#')).ok_or(format!("no {reference}"))?;
        return fits(value, target, document);
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        fits(value, part, document)?;
    }
    if let Some(options) = schema["oneOf"].as_array()
        && !options.iter().any(|option| fits(value, option, document).is_ok())
    {
        return Err(format!("{value} is none of {options:?}"));
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        return Err(format!("{value} is not among {words:?}"));
    }
    let is = |kind: &Value| match kind.as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        other => panic!("unknown type {other:?}"),
    };
    let kinds = match &schema["type"] {
        Value::Array(kinds) => kinds.clone(),
        Value::Null => Vec::new(),
        kind => vec![kind.clone()],
    };
    if !kinds.is_empty() && !kinds.iter().any(is) {
        return Err(format!("{value} is no {kinds:?}"));
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        value.get(name.as_str().unwrap()).ok_or(format!("{name} is missing in {value}"))?;
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(inner) = value.get(name) {
            fits(inner, property, document).map_err(|why| format!("{name}: {why}"))?;
        }
    }
    for item in value.as_array().into_iter().flatten().filter(|_| schema["items"].is_object()) {
        fits(item, &schema["items"], document)?;
    }
    Ok(())
}

#[tokio::test]
async fn the_check_above_can_fail() {
    let house = House::open();
    let document = document(&house).await;
    let schema = serde_json::json!({ "$ref": "#/components/schemas/Status" });
    let good = get(&house.socket, "/v1/status").await.json();
    fits(&good, &schema, &document).unwrap();

    for (place, wrong) in
        [("/camera/state", "ajar"), ("/epoch", "three"), ("/participants/0", "Ann"), ("/mic", "")]
    {
        let mut bad = good.clone();
        *bad.pointer_mut(place).unwrap() = wrong.into();
        assert!(fits(&bad, &schema, &document).is_err(), "{place}");
    }
    let mut bad = good;
    bad.as_object_mut().unwrap().remove("queue");
    assert!(fits(&bad, &schema, &document).is_err());
}
