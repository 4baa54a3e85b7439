//! Our Socket.IO codec against the real one: packets are generated here, written by one side and read by the
//! other, in both directions. The other side is `socket.io-parser` from npm, run by node
//! (`tests/socketio_parser/check.js`).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use roomcam::socketio::packet::MAX_ATTACHMENTS;
use roomcam::socketio::{Ack, Body, Decoder, EnginePacket, Event, Json, Packet};
use serde_json::{Value, json};

const CASES: u32 = 2000;
const LIMIT: usize = 1 << 20;

/// The node process; asked one question at a time.
struct Node {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Node {
    fn start() -> Self {
        // Two tests must not install at the same time.
        static INSTALLING: Mutex<()> = Mutex::new(());
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/socketio_parser");
        let installing = INSTALLING.lock().unwrap();
        if !folder.join("node_modules/socket.io-parser").is_dir() {
            install(&folder);
        }
        drop(installing);
        let mut child = Command::new("node")
            .arg("check.js")
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this test needs node (Debian: apt install nodejs)");
        let questions = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, questions, answers }
    }

    fn ask(&mut self, question: &Value) -> Value {
        writeln!(self.questions, "{question}").expect("check.js has ended; its error is above");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).expect("check.js has ended; its error is above")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Ends by itself with its stdin; the kill is for a test that failed between question and answer.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn install(folder: &Path) {
    let status = Command::new("npm")
        .args(["ci", "--no-audit", "--no-fund"])
        .current_dir(folder)
        .status()
        .expect("this test needs npm (Debian: apt install npm)");
    assert!(status.success(), "npm ci in tests/socketio_parser failed; its error is above");
}

/// A packet as both sides can build it.
#[derive(Debug, Clone)]
struct Case {
    /// Socket.IO's packet types without the binary ones: 0 to 4.
    kind: u8,
    namespace: String,
    id: Option<u64>,
    /// With placeholders for the attachments.
    data: Option<Value>,
    attachments: Vec<Vec<u8>>,
}

impl Case {
    /// As socket.io-parser takes and gives it: bytes in the place of placeholders.
    fn theirs(&self) -> Value {
        let mut packet = json!({ "type": self.kind, "nsp": self.namespace });
        if let Some(id) = self.id {
            packet["id"] = id.into();
        }
        if let Some(data) = &self.data {
            packet["data"] = self.with_bytes(data);
        }
        packet
    }

    fn with_bytes(&self, value: &Value) -> Value {
        match value {
            Value::Array(items) => items.iter().map(|item| self.with_bytes(item)).collect(),
            Value::Object(map) if map.contains_key("_placeholder") => {
                let num = map["num"].as_u64().unwrap() as usize;
                bytes_json(&self.attachments[num])
            }
            Value::Object(map) => {
                Value::Object(map.iter().map(|(key, value)| (key.clone(), self.with_bytes(value))).collect())
            }
            other => other.clone(),
        }
    }

    fn ours(&self) -> Packet {
        let attachments: Vec<Bytes> = self.attachments.iter().cloned().map(Bytes::from).collect();
        let json = self.data.clone().map(Json::from);
        let body = match self.kind {
            0 => Body::Connect(json),
            1 => Body::Disconnect,
            2 => {
                let event = Event::from_json(json.unwrap().as_str()).unwrap();
                let event = if let Some(id) = self.id { event.with_ack(id) } else { event };
                Body::Event(event.with_attachments(attachments).unwrap())
            }
            3 => Body::Ack(Ack::new(self.id.unwrap(), json.unwrap(), attachments).unwrap()),
            _ => Body::ConnectError(json.unwrap()),
        };
        Packet { namespace: self.namespace.clone().into(), body }
    }
}

fn bytes_json(bytes: &[u8]) -> Value {
    json!({ "$bytes": bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() })
}

fn bytes_of(value: &Value) -> Bytes {
    let hex = value["$bytes"].as_str().unwrap();
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// Both sides keep the parts of a packet, but JSON text may differ in escapes: compare values.
fn parts(packet: &Packet) -> (String, u8, Option<u64>, Option<Value>, Vec<Bytes>) {
    let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let (kind, id, data, attachments) = match &packet.body {
        Body::Connect(json) => (0, None, json.as_ref().map(|json| value(json.as_str())), vec![]),
        Body::Disconnect => (1, None, None, vec![]),
        Body::Event(event) => (2, event.ack(), Some(value(event.json())), event.attachments().to_vec()),
        Body::Ack(ack) => (3, Some(ack.id()), Some(value(ack.args().as_str())), ack.attachments().to_vec()),
        Body::ConnectError(json) => (4, None, Some(value(json.as_str())), vec![]),
    };
    (packet.namespace.to_string(), kind, id, data, attachments)
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        // JavaScript has 53 bits.
        (-(1_i64 << 53)..(1_i64 << 53)).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            any_object_of(inner).prop_map(Value::from),
        ]
    })
}

/// Keys that are whole numbers are left out: a JavaScript object reorders them. `__proto__` is no plain key.
fn any_object_of(
    values: impl Strategy<Value = Value>,
) -> impl Strategy<Value = serde_json::Map<String, Value>> {
    prop::collection::vec(("[a-zA-Z가-힣 \"\\\\\u{1}]{1,8}", values), 0..4)
        .prop_map(|fields| fields.into_iter().collect())
}

fn any_case() -> impl Strategy<Value = Case> {
    let object = || any_object_of(any_value()).prop_map(Value::from);
    let payloads = prop_oneof![
        (Just(0_u8), prop::option::of(object())).boxed(),
        Just((1_u8, None)).boxed(),
        (Just(2_u8), any_event().prop_map(Some)).boxed(),
        (Just(3_u8), prop::collection::vec(any_value(), 0..4).prop_map(|args| Some(args.into()))).boxed(),
        (Just(4_u8), prop_oneof![object(), any::<String>().prop_map(Value::from)].prop_map(Some)).boxed(),
    ];
    let attachments = prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..=MAX_ATTACHMENTS);
    let id = prop::option::of(0_u64..1 << 53);
    let namespace = prop_oneof![Just("/".to_owned()), "/[a-z0-9?=_é]{1,8}"];
    (payloads, attachments, id, namespace).prop_map(
        |((kind, mut data), mut attachments, mut id, namespace)| {
            if !matches!(kind, 2 | 3) {
                attachments.clear();
                id = None;
            }
            if kind == 3 {
                id = id.or(Some(0));
            }
            if let Some(Value::Array(args)) = &mut data {
                // Half of them at the top, half inside an object, in the order in which they are numbered.
                args.extend((0..attachments.len()).map(|num| {
                    let placeholder = json!({ "_placeholder": true, "num": num });
                    if num % 2 == 0 { placeholder } else { json!({ "chunk": placeholder }) }
                }));
            }
            Case { kind, namespace, id, data, attachments }
        },
    )
}

fn any_event() -> impl Strategy<Value = Value> {
    let reserved =
        ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];
    let name = prop_oneof![
        any::<String>()
            .prop_filter("reserved", move |name| !reserved.contains(&name.as_str()))
            .prop_map(Value::from),
        any::<u32>().prop_map(Value::from),
    ];
    (name, prop::collection::vec(any_value(), 0..4)).prop_map(|(name, mut args)| {
        args.insert(0, name);
        args.into()
    })
}

fn check(mut one: impl FnMut(&mut Node, Case)) {
    let mut runner = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    let node = std::cell::RefCell::new(Node::start());
    let one = std::cell::RefCell::new(&mut one);
    runner
        .run(&any_case(), |case| {
            (one.borrow_mut())(&mut node.borrow_mut(), case);
            Ok(())
        })
        .unwrap();
}

#[test]
fn what_we_write_the_real_parser_reads_as_we_meant_it() {
    check(|node, case| {
        let wire = case.ours().encode();
        let mut frames = vec![Value::from(wire.text.strip_prefix('4').unwrap())];
        frames.extend(wire.attachments.iter().map(|bytes| bytes_json(bytes)));
        let answer = node.ask(&json!({ "decode": frames }));
        let mut read = answer["packet"].clone();
        if let Some(fields) = read.as_object_mut() {
            // Theirs notes the count on the packet of a binary one.
            fields.remove("attachments");
        }
        assert_eq!(read, case.theirs(), "{answer}");
    });
}

#[test]
fn what_the_real_parser_writes_we_read_as_it_meant_it() {
    check(|node, case| {
        let answer = node.ask(&json!({ "encode": case.theirs() }));
        let frames = answer["frames"].as_array().unwrap();
        let mut decoder = Decoder::new(LIMIT);
        let mut read = decoder.text(&format!("4{}", frames[0].as_str().unwrap())).unwrap();
        for frame in &frames[1..] {
            assert_eq!(read, None, "{frames:?}");
            read = decoder.binary(bytes_of(frame)).unwrap();
        }
        let Some(EnginePacket::Message(packet)) = read else { panic!("{frames:?}") };
        assert_eq!(parts(&packet), parts(&case.ours()), "{frames:?}");
    });
}

#[test]
fn what_the_real_parser_refuses_we_refuse() {
    let mut node = Node::start();
    let x = || bytes_json(b"x");
    for frames in [
        json!(["7"]),
        json!(["hello"]),
        json!(["0[]"]),
        json!(["0{"]),
        json!(["1{}"]),
        json!(["2{}"]),
        json!(["2[]"]),
        json!(["2[null]"]),
        json!([r#"2["connect"]"#]),
        json!([r#"2["a"1]"#]),
        json!(["31{}"]),
        json!([r#"5["a"]"#, x()]),
        json!([r#"50-["a"]"#]),
        json!([r#"511-["a"]"#]),
        json!([r#"5x-["a"]"#, x()]),
        json!([r#"51.5-["a"]"#, x()]),
        json!([r#"52-["a"]"#, x()]),
        json!([r#"52-["a"]"#, x(), r#"2["b"]"#]),
        json!([x()]),
        json!([r#"2["a"]"#, x()]),
    ] {
        let answer = node.ask(&json!({ "decode": frames }));
        assert!(answer["error"].is_string(), "{frames} is read as {answer}");

        let mut decoder = Decoder::new(LIMIT);
        let read: Result<Vec<_>, _> = frames
            .as_array()
            .unwrap()
            .iter()
            .map(|frame| match frame.as_str() {
                Some(text) => decoder.text(&format!("4{text}")),
                None => decoder.binary(bytes_of(frame)),
            })
            .collect();
        let complete = read.is_ok_and(|packets| packets.iter().all(Option::is_some));
        assert!(!complete, "{frames} is read by us");
    }
}
