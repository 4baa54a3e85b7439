//! The codec: a table of wire strings, the named bad inputs, and properties.

use bytes::Bytes;
use proptest::prelude::*;

use super::packet::*;
use super::{Decoder, quote};

const LIMIT: usize = 1 << 20;

fn decode(frame: &str) -> Result<Option<EnginePacket>, PacketError> {
    Decoder::new(LIMIT).text(frame)
}

fn message(body: Body) -> EnginePacket {
    EnginePacket::Message(Packet::new(DEFAULT_NAMESPACE, body))
}

fn in_namespace(namespace: &'static str, body: Body) -> EnginePacket {
    EnginePacket::Message(Packet { namespace: namespace.into(), body })
}

fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

fn event(text: &str) -> Event {
    Event::from_json(text).unwrap()
}

#[test]
fn every_packet_type_has_this_wire_form() {
    let table = [
        (
            r#"0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#,
            EnginePacket::Open(Handshake::new("lv_VI97HAXpY6yYWAAAC", 25_000, 20_000, 1_000_000)),
        ),
        ("1", EnginePacket::Close),
        ("2", EnginePacket::Ping("".into())),
        ("2probe", EnginePacket::Ping("probe".into())),
        ("3", EnginePacket::Pong("".into())),
        ("3probe", EnginePacket::Pong("probe".into())),
        ("5", EnginePacket::Upgrade),
        ("6", EnginePacket::Noop),
        ("40", message(Body::Connect(None))),
        (
            r#"40{"sid":"oSO0OpakMV_3jnilAAAA"}"#,
            message(Body::Connect(Some(json(r#"{"sid":"oSO0OpakMV_3jnilAAAA"}"#)))),
        ),
        (
            r#"40/admin,{"token":"123"}"#,
            in_namespace("/admin", Body::Connect(Some(json(r#"{"token":"123"}"#)))),
        ),
        ("41", message(Body::Disconnect)),
        ("41/admin,", in_namespace("/admin", Body::Disconnect)),
        (r#"42["hello",1,"2",{"3":[4]}]"#, message(Body::Event(event(r#"["hello",1,"2",{"3":[4]}]"#)))),
        (r#"4212["hello"]"#, message(Body::Event(event(r#"["hello"]"#).with_ack(12)))),
        (
            r#"42/admin,456["project:delete",123]"#,
            in_namespace("/admin", Body::Event(event(r#"["project:delete",123]"#).with_ack(456))),
        ),
        ("42[7,null]", message(Body::Event(event("[7,null]")))),
        ("4312[]", message(Body::Ack(Ack::new(12, json("[]"), vec![]).unwrap()))),
        (
            r#"43/admin,456["ok"]"#,
            in_namespace("/admin", Body::Ack(Ack::new(456, json(r#"["ok"]"#), vec![]).unwrap())),
        ),
        (
            r#"44{"message":"Not authorized"}"#,
            message(Body::ConnectError(json(r#"{"message":"Not authorized"}"#))),
        ),
        (r#"44"Invalid namespace""#, message(Body::ConnectError(json(r#""Invalid namespace""#)))),
    ];
    for (wire, packet) in table {
        assert_eq!(decode(wire), Ok(Some(packet.clone())), "{wire}");
        assert_eq!(packet.encode(), Wire { text: wire.into(), attachments: vec![] });
    }
}

#[test]
fn a_binary_event_is_a_header_and_its_attachments_untouched() {
    let chunk = Bytes::from_static(&[0x1a, 0x45, 0xdf, 0xa3]);
    let sent = Event::new("media-chunk", &serde_json::json!({ "chunk": Placeholder::new(0) }))
        .unwrap()
        .with_attachments(vec![chunk.clone()])
        .unwrap();
    let wire = message(Body::Event(sent.clone())).encode();
    assert_eq!(wire.text, r#"451-["media-chunk",{"chunk":{"_placeholder":true,"num":0}}]"#);
    assert_eq!(wire.attachments[0].as_ptr(), chunk.as_ptr(), "shared, not copied");
    assert_eq!(wire.largest_frame(), wire.text.len());

    let mut decoder = Decoder::new(LIMIT);
    assert_eq!(decoder.text(&wire.text), Ok(None));
    assert_eq!(decoder.binary(chunk.clone()), Ok(Some(message(Body::Event(sent)))));
}

#[test]
fn a_binary_ack_waits_for_all_of_its_attachments_and_lets_pings_through() {
    let parts = [Bytes::from_static(b"one"), Bytes::new()];
    let ack =
        Ack::new(9, json(r#"[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#), parts.to_vec())
            .unwrap();
    let mut decoder = Decoder::new(LIMIT);
    assert_eq!(decoder.text(&message(Body::Ack(ack.clone())).encode().text), Ok(None));
    assert_eq!(decoder.text("2"), Ok(Some(EnginePacket::Ping("".into()))));
    assert_eq!(decoder.binary(parts[0].clone()), Ok(None));
    assert_eq!(decoder.binary(parts[1].clone()), Ok(Some(message(Body::Ack(ack)))));
    assert_eq!(decoder.binary(Bytes::new()), Err(PacketError::UnexpectedBinary));
}

#[test]
fn a_server_that_does_not_say_its_limit_has_the_default() {
    let open = decode(r#"0{"sid":"x","upgrades":["websocket"],"pingInterval":1,"pingTimeout":2}"#);
    let Ok(Some(EnginePacket::Open(open))) = open else { panic!("{open:?}") };
    assert_eq!(open.max_payload, 1_000_000);
    assert_eq!(open.patience(), std::time::Duration::from_millis(3));
}

#[test]
fn a_namespace_that_nothing_follows_needs_no_comma() {
    assert_eq!(decode("40/admin"), Ok(Some(in_namespace("/admin", Body::Connect(None)))));
    assert_eq!(decode("41/admin"), Ok(Some(in_namespace("/admin", Body::Disconnect))));
    assert_eq!(decode("40/,"), Ok(Some(message(Body::Connect(None)))));
}

#[test]
fn broken_frames_have_an_error_each() {
    for (frame, error) in [
        ("", "an empty text frame"),
        ("<!DOCTYPE html>", "a text frame that starts with '<', which is no Engine.IO 4 packet type"),
        ("7", "a text frame that starts with '7', which is no Engine.IO 4 packet type"),
        ("é", "a text frame that starts with 'é', which is no Engine.IO 4 packet type"),
        ("4", "a message whose type None is no Socket.IO 5 packet type"),
        ("47", "a message whose type Some('7') is no Socket.IO 5 packet type"),
        ("4é", "a message whose type Some('é') is no Socket.IO 5 packet type"),
        ("0", "a bad payload in the open packet: EOF while parsing a value at line 1 column 0"),
        ("0{}", "a bad payload in the open packet: missing field `sid` at line 1 column 2"),
        ("40[]", "a bad payload in the CONNECT packet: JSON of the wrong kind"),
        ("40{", "a bad payload in the CONNECT packet: EOF while parsing an object at line 1 column 1"),
        (r#"41{"a":1}"#, "a payload in the DISCONNECT packet, which must not have one"),
        ("42", "a bad payload in the EVENT packet: not an array"),
        ("42{}", "a bad payload in the EVENT packet: not an array"),
        ("42[]", "a bad payload in the EVENT packet: its first element is no event name"),
        ("42[null]", "a bad payload in the EVENT packet: its first element is no event name"),
        ("42[{}]", "a bad payload in the EVENT packet: its first element is no event name"),
        (r#"42["a"#, "a bad payload in the EVENT packet: not an array"),
        (r#"42["a]"#, "a bad payload in the EVENT packet: its first element is no event name"),
        (r#"42["a"1]"#, "a bad payload in the EVENT packet: its name is not followed by a comma"),
        (r#"42["connect"]"#, "a bad payload in the EVENT packet: its name is reserved by Socket.IO"),
        (r#"42["a"]1"#, "a bad payload in the EVENT packet: not an array"),
        (r#"4299999999999999999999["a"]"#, "a packet whose ack id is missing or too large"),
        (r#"43["a"]"#, "a packet whose ack id is missing or too large"),
        ("431{}", "a bad payload in the ACK packet: JSON of the wrong kind"),
        ("44", "a bad payload in the CONNECT_ERROR packet: EOF while parsing a value at line 1 column 0"),
        ("441", "a bad payload in the CONNECT_ERROR packet: EOF while parsing a value at line 1 column 0"),
        (r#"45["a"]"#, "a binary packet without a valid attachment count"),
        (r#"45-["a"]"#, "a binary packet without a valid attachment count"),
        (r#"450-["a"]"#, "a binary packet without a valid attachment count"),
        (r#"45+1-["a"]"#, "a binary packet without a valid attachment count"),
        (r#"4511-["a"]"#, "a packet with more than 10 attachments"),
        (r#"45999999999999999999999999-["a"]"#, "a packet with more than 10 attachments"),
    ] {
        assert_eq!(decode(frame).unwrap_err().to_string(), error, "{frame}");
    }
}

#[test]
fn attachments_that_are_not_due_or_missing_are_errors() {
    let mut decoder = Decoder::new(LIMIT);
    assert_eq!(decoder.binary(Bytes::from_static(b"x")), Err(PacketError::UnexpectedBinary));
    assert_eq!(decoder.text(r#"452-["a"]"#), Ok(None));
    assert_eq!(decoder.binary(Bytes::from_static(b"x")), Ok(None));
    assert_eq!(decoder.text(r#"42["b"]"#), Err(PacketError::MissingAttachments { missing: 1 }));
    assert_eq!(
        decoder.binary(Bytes::new()),
        Err(PacketError::UnexpectedBinary),
        "nothing is held after an error"
    );
}

#[test]
fn a_packet_above_the_limit_is_refused_before_it_is_looked_at() {
    let ten_megabytes = format!("42[\"a\",\"{}\"]", "x".repeat(10_000_000));
    assert_eq!(decode(&ten_megabytes), Err(PacketError::TooLarge { size: 10_000_010, max: LIMIT }));

    let mut decoder = Decoder::new(100);
    assert_eq!(decoder.text(r#"4510-["a"]"#), Ok(None));
    for _ in 0..9 {
        assert_eq!(decoder.binary(Bytes::from_static(&[0; 10])), Ok(None));
    }
    assert_eq!(
        decoder.binary(Bytes::from_static(&[0; 10])),
        Err(PacketError::TooLarge { size: 110, max: 100 })
    );
    assert_eq!(
        decoder.binary(Bytes::new()),
        Err(PacketError::UnexpectedBinary),
        "nothing is held after an error"
    );
}

#[test]
fn deep_nesting_costs_no_stack() {
    let deep = "[".repeat(400_000);
    let closed = format!("{deep}{}", "]".repeat(400_000));
    assert!(matches!(decode(&format!("40{{\"a\":{deep}")), Err(PacketError::BadPayload { .. })));
    assert!(decode(&format!("40{{\"a\":{closed}}}")).is_ok());
    let Ok(Some(EnginePacket::Message(Packet { body: Body::Event(event), .. }))) =
        decode(&format!("42[\"a\",{closed}]"))
    else {
        panic!("an event is not looked into");
    };
    assert_eq!(
        event.argument::<serde_json::Value>().unwrap_err().to_string(),
        "recursion limit exceeded at line 1 column 132"
    );
}

#[test]
fn an_argument_is_read_only_when_asked_for() {
    let broken = event(r#"["media-chunk",{"chunk":]"#);
    assert_eq!(broken.name(), "media-chunk");
    assert!(broken.argument::<serde_json::Value>().is_err());
    assert_eq!(event(r#" [ "a" , 1 , 2 ] "#).argument::<u8>().unwrap(), Some(1));
    assert_eq!(event(r#"["a"]"#).argument::<u8>().unwrap(), None);
    assert_eq!(event(r#"["\ud55c \"x\""]"#).name(), "한 \"x\"");
}

#[test]
fn a_quote_is_one_short_line() {
    assert_eq!(quote("a\nb\u{1b}[31m"), "a b [31m");
    assert_eq!(quote(&"한".repeat(1000)).chars().count(), 200);
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
            prop::collection::hash_map(any::<String>(), inner, 0..5)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

fn any_object() -> impl Strategy<Value = Json> {
    prop::collection::hash_map(any::<String>(), any_json(), 0..4)
        .prop_map(|map| Json::from(serde_json::Value::Object(map.into_iter().collect())))
}

fn any_attachments() -> impl Strategy<Value = Vec<Bytes>> {
    prop::collection::vec(
        prop::collection::vec(any::<u8>(), 0..50).prop_map(Bytes::from),
        0..=MAX_ATTACHMENTS,
    )
}

fn any_body() -> impl Strategy<Value = Body> {
    let event =
        (any::<String>(), prop::collection::vec(any_json(), 0..4), any::<Option<u64>>(), any_attachments())
            .prop_filter_map("reserved names", |(name, mut args, ack, attachments)| {
                args.insert(0, name.into());
                let event = Event::from_json(&serde_json::Value::from(args).to_string()).ok()?;
                let event = if let Some(id) = ack { event.with_ack(id) } else { event };
                Some(Body::Event(event.with_attachments(attachments).ok()?))
            });
    let ack = (any::<u64>(), prop::collection::vec(any_json(), 0..4), any_attachments()).prop_map(
        |(id, args, attachments)| {
            Body::Ack(Ack::new(id, Json::from(serde_json::Value::from(args)), attachments).unwrap())
        },
    );
    prop_oneof![
        prop::option::of(any_object()).prop_map(Body::Connect),
        Just(Body::Disconnect),
        event,
        ack,
        any_object().prop_map(Body::ConnectError),
        any::<String>().prop_map(|text| Body::ConnectError(Json::of(&text).unwrap())),
    ]
}

fn any_packet() -> impl Strategy<Value = EnginePacket> {
    let namespace = prop_oneof![Just("/".to_owned()), "/[^,]{1,12}"];
    let handshake = (any::<String>(), any::<u64>(), any::<u64>(), any::<usize>())
        .prop_map(|(sid, interval, timeout, max)| Handshake::new(&sid, interval, timeout, max));
    prop_oneof![
        handshake.prop_map(EnginePacket::Open),
        Just(EnginePacket::Close),
        any::<String>().prop_map(|payload| EnginePacket::Ping(payload.into())),
        any::<String>().prop_map(|payload| EnginePacket::Pong(payload.into())),
        Just(EnginePacket::Upgrade),
        Just(EnginePacket::Noop),
        (namespace, any_body()).prop_map(|(namespace, body)| EnginePacket::Message(Packet {
            namespace: namespace.into(),
            body
        })),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(packet in any_packet()) {
        let wire = packet.encode();
        let mut decoder = Decoder::new(LIMIT);
        let mut read = decoder.text(&wire.text);
        for attachment in wire.attachments {
            prop_assert_eq!(read, Ok(None));
            read = decoder.binary(attachment);
        }
        prop_assert_eq!(read, Ok(Some(packet)));
    }

    #[test]
    fn a_truncated_text_is_never_taken_for_the_whole(packet in any_packet(), cut in any::<prop::sample::Index>()) {
        let mut wire = packet.encode();
        // The one character that is not needed: the comma behind a namespace that nothing follows.
        if wire.text.starts_with("4") && wire.text.ends_with(',') {
            wire.text.pop();
        }
        let ends: Vec<usize> = wire.text.char_indices().map(|(at, _)| at).collect();
        let read = decode(&wire.text[..ends[cut.index(ends.len())]]);
        prop_assert_ne!(read, Ok(Some(packet)));
    }

    #[test]
    fn no_frames_whatever_make_it_panic(frames in prop::collection::vec(
        prop_oneof![any::<String>().prop_map(Ok), "[0-7]{0,4}[-/,a0-9]{0,6}[\\[\\]{}\",a:0-9]{0,12}".prop_map(Ok), any::<Vec<u8>>().prop_map(Err)],
        0..8,
    )) {
        let mut decoder = Decoder::new(64);
        for frame in frames {
            let _ = match frame {
                Ok(text) => decoder.text(&text),
                Err(bytes) => decoder.binary(bytes.into()),
            };
        }
    }
}
