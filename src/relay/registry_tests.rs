use super::*;
use crate::relay::identity::Proof;
use crate::relay::options::Token;

fn wish(room: &str, name: &str) -> JoinRoom {
    JoinRoom {
        room_id: room.into(),
        username: Some(name.into()),
        avatar_url: None,
        has_video: true,
        is_muted: false,
        watch: false,
    }
}

fn identity(user: &str, role: Role, proof: Proof) -> Identity {
    Identity { user_id: user.into(), role, proof }
}

/// A registry of 2 rooms with 2 seats each, and `users` connected; each user's handle is its number.
fn connected<const N: usize>(users: [&str; N]) -> (Registry<usize>, [Sid; N]) {
    let mut registry = Registry::new(2, 2);
    let sids = users.map(|_| Sid::new());
    for (number, user) in users.iter().enumerate() {
        let seated =
            registry.connect(sids[number], identity(user, Role::Publisher, Proof::Nothing), number, None);
        assert!(matches!(seated, Seated::Free));
    }
    (registry, sids)
}

fn handles(audience: &Audience<usize>) -> Vec<usize> {
    audience.iter().map(|(_, handle)| *handle).collect()
}

#[test]
fn the_joiner_learns_who_is_there_and_the_first_is_host() {
    let (mut registry, [ann, bob]) = connected(["ann", "bob"]);

    registry.join(ann, RoomDialect::Relay, wish("r", "Ann"), 0).unwrap();
    let joined = registry.join(bob, RoomDialect::Relay, wish("r", "Bob"), 0).unwrap();

    let names: Vec<_> = joined.state.participants.iter().map(|p| p.username.as_str()).collect();
    assert_eq!(names, ["Ann", "Bob"]);
    assert_eq!(joined.state.host_id, "ann");
    assert_eq!(joined.state.broadcast_mode, BroadcastMode::All);
    assert!(joined.state.can_broadcast);
    assert_eq!(handles(&joined.audience), [0, 1]);
    assert_eq!(joined.newcomer.socket_id, bob.to_string());
}

#[test]
fn room_state_remembers_camera_and_microphone() {
    let (mut registry, [ann, bob]) = connected(["ann", "bob"]);
    registry.join(ann, RoomDialect::Relay, wish("r", "Ann"), 0).unwrap();

    registry.set_camera(ann, CameraState { has_video: false }).unwrap();
    registry.set_mic(ann, MicState { is_muted: true }).unwrap();

    let joined = registry.join(bob, RoomDialect::Relay, wish("r", "Bob"), 0).unwrap();
    assert!(!joined.state.participants[0].has_video);
    assert!(joined.state.participants[0].is_muted);
}

#[test]
fn rooms_and_seats_are_bounded() {
    let (mut registry, [a, b, c, d]) = connected(["a", "b", "c", "d"]);
    registry.join(a, RoomDialect::Relay, wish("one", ""), 0).unwrap();
    registry.join(b, RoomDialect::Relay, wish("one", ""), 0).unwrap();
    assert_eq!(
        registry.join(c, RoomDialect::Relay, wish("one", ""), 0).unwrap_err(),
        JoinRefusal::RoomFull(2)
    );
    registry.join(c, RoomDialect::Relay, wish("two", ""), 0).unwrap();
    assert_eq!(
        registry.join(d, RoomDialect::Relay, wish("three", ""), 0).unwrap_err(),
        JoinRefusal::TooManyRooms(2)
    );

    registry.leave(c).unwrap();
    registry.join(d, RoomDialect::Relay, wish("three", ""), 0).unwrap();
}

#[test]
fn a_room_id_has_a_length() {
    let (mut registry, [a]) = connected(["a"]);
    assert_eq!(registry.join(a, RoomDialect::Relay, wish("", ""), 0).unwrap_err(), JoinRefusal::BadRoomId);
    assert_eq!(
        registry.join(a, RoomDialect::Relay, wish(&"x".repeat(129), ""), 0).unwrap_err(),
        JoinRefusal::BadRoomId
    );
    assert_eq!(
        registry.join(a, RoomDialect::Relay, wish(&"x".repeat(128), ""), 0).unwrap().newcomer.username,
        "a"
    );
}

#[test]
fn who_has_a_place_keeps_it_against_who_shows_no_more() {
    let (mut registry, [first]) = connected(["ann"]);
    registry.join(first, RoomDialect::Relay, wish("r", "Ann"), 0).unwrap();
    let another = identity("ann", Role::Publisher, Proof::Nothing);
    let second = Sid::new();

    let seated = registry.connect(second, another.clone(), 9, None);
    assert!(matches!(seated, Seated::Taken(sid, 0) if sid == first), "{seated:?}");
    assert!(registry.seat(second).is_none() && registry.seat(first).is_some());

    // The first does not answer any more.
    let seated = registry.connect(second, another.clone(), 9, Some(first));
    assert!(matches!(seated, Seated::Displaces(sid, 0) if sid == first), "{seated:?}");
    assert_eq!(&*registry.disconnect(first).unwrap().participant.user_id, "ann");
    let seated = registry.connect(Sid::new(), another, 10, None);
    assert!(
        matches!(seated, Seated::Taken(sid, 9) if sid == second),
        "the second one holds the name: {seated:?}"
    );
}

#[test]
fn who_proves_to_be_the_same_takes_the_place() {
    let (publisher, viewer) = (Role::Publisher, Role::Viewer);
    let own = |text| Proof::own("ann", &Token::new(text).unwrap());
    let outcome = |(role, proof): (Role, Proof), (newer_role, newer_proof): (Role, Proof)| {
        let mut registry = Registry::new(2, 2);
        registry.connect(Sid::new(), identity("ann", role, proof), 0, None);
        match registry.connect(Sid::new(), identity("ann", newer_role, newer_proof), 1, None) {
            Seated::Displaces(_, 0) => "displaces",
            Seated::Taken(_, 0) => "taken",
            Seated::Refused => "refused",
            other => panic!("{other:?}"),
        }
    };
    let (camera, watcher) = ((publisher, Proof::Publisher), (viewer, Proof::Nothing));
    assert_eq!(outcome(camera.clone(), camera.clone()), "displaces");
    assert_eq!(outcome(watcher.clone(), camera.clone()), "displaces");
    assert_eq!(outcome(camera, watcher.clone()), "refused");
    assert_eq!(outcome(watcher.clone(), watcher), "taken");
    assert_eq!(outcome((publisher, own("a")), (publisher, own("a"))), "displaces");
    assert_eq!(outcome((publisher, own("a")), (publisher, own("b"))), "taken");
    assert_eq!(outcome((publisher, own("a")), (publisher, Proof::Nothing)), "taken");
    assert_eq!(outcome((publisher, Proof::Nothing), (publisher, own("a"))), "taken");
}

#[test]
fn a_viewer_is_no_host_and_broadcasts_nothing() {
    let mut registry = Registry::new(2, 3);
    let [eve, ann] = [Sid::new(), Sid::new()];
    registry.connect(eve, identity("eve", Role::Viewer, Proof::Nothing), 0, None);
    registry.connect(ann, identity("ann", Role::Publisher, Proof::Publisher), 1, None);

    let state = registry.join(eve, RoomDialect::Relay, wish("r", "Eve"), 0).unwrap().state;
    assert_eq!((state.host_id.as_str(), state.can_broadcast), ("", false));
    assert_eq!((state.participants[0].has_video, state.participants[0].is_muted), (false, true));
    assert_eq!(registry.join(ann, RoomDialect::Relay, wish("r", "Ann"), 0).unwrap().state.host_id, "ann");

    assert!(registry.set_presenter(eve, None).is_none(), "she is not the host");
    let (changed, _) = registry.set_presenter(ann, Some("eve".into())).unwrap();
    assert!(changed.participants.iter().all(|participant| !participant.can_broadcast));
    registry.set_presenter(ann, None).unwrap();
    assert!(!registry.seat(eve).unwrap().can_broadcast && registry.seat(ann).unwrap().can_broadcast);
}

#[test]
fn nobody_stays_behind_in_an_empty_registry() {
    let (mut registry, [ann, bob]) = connected(["ann", "bob"]);
    registry.join(ann, RoomDialect::Relay, wish("r", "Ann"), 0).unwrap();
    registry.join(bob, RoomDialect::Relay, wish("r", "Bob"), 0).unwrap();

    let left = registry.disconnect(ann).unwrap();
    assert_eq!(handles(&left.audience), [1]);
    registry.disconnect(bob).unwrap();

    assert!(registry.rooms.is_empty() && registry.users.is_empty() && registry.connections.is_empty());
}

#[test]
fn only_the_presenter_may_broadcast() {
    let (mut registry, [ann, bob]) = connected(["ann", "bob"]);
    registry.join(ann, RoomDialect::Relay, wish("r", "Ann"), 0).unwrap();
    registry.join(bob, RoomDialect::Relay, wish("r", "Bob"), 0).unwrap();

    assert!(registry.set_presenter(bob, Some("bob".into())).is_none(), "bob is not the host");
    let (changed, _) = registry.set_presenter(ann, Some("ann".into())).unwrap();

    assert_eq!(changed.broadcast_mode, BroadcastMode::Single);
    let bob_now = &changed.participants[1];
    assert!(!bob_now.can_broadcast && !bob_now.has_video && bob_now.is_muted);
    assert!(!registry.seat(bob).unwrap().can_broadcast);
    assert!(registry.set_camera(bob, CameraState { has_video: true }).is_none());
}

#[test]
fn everybody_may_broadcast_again_when_the_presenter_leaves() {
    let (mut registry, [ann, bob]) = connected(["ann", "bob"]);
    registry.join(ann, RoomDialect::Relay, wish("r", "Ann"), 0).unwrap();
    registry.join(bob, RoomDialect::Relay, wish("r", "Bob"), 0).unwrap();
    registry.set_presenter(ann, Some("ann".into())).unwrap();

    let changed = registry.leave(ann).unwrap().presenter.unwrap();

    assert_eq!(changed.broadcast_mode, BroadcastMode::All);
    assert!(changed.participants[0].can_broadcast);
    assert!(registry.seat(bob).unwrap().can_broadcast);
}

#[test]
fn a_room_for_two_has_one_seat_for_those_who_watch() {
    use crate::meeting::mesh::Form;
    let two = RoomDialect::Noom(Form::Object);
    let mut registry = Registry::new(2, 256);
    let [ann, bob, eve, zoe] = [(); 4].map(|()| {
        let sid = Sid::new();
        registry.connect(sid, identity(&sid.to_string(), Role::Publisher, Proof::Nothing), 0, None);
        sid
    });
    let watching = || JoinRoom { watch: true, ..wish("r", "") };

    registry.join(ann, two, watching(), 0).unwrap();
    assert_eq!(registry.join(bob, two, watching(), 0).unwrap_err(), JoinRefusal::Watched);
    registry.join(bob, two, wish("r", ""), 0).unwrap();
    assert_eq!(registry.join(eve, two, wish("r", ""), 0).unwrap_err(), JoinRefusal::RoomFull(2));
    // A room of the same name for others.
    registry.join(eve, RoomDialect::Mesh, watching(), 0).unwrap();
    registry.join(zoe, RoomDialect::Mesh, watching(), 0).unwrap();
    assert_eq!(registry.leave(ann).map(|left| left.dialect), Some(two));
}
