//! Sessions of WebRTC meetings over servers as they are deployed: python-socketio for "mesh", Node's socket.io for "noom"
//! (`tests/signalling/`; `make deps-test` installs what they need).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "common/mesh_sessions.rs"]
mod mesh_sessions;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use mesh_sessions::{ended, heard, joined, negotiate};
use roomcam::meeting::mesh::session::{self, SessionHandle};
use roomcam::meeting::mesh::{Departed, Dialect, Form, Heard, Names, ParticipantId, Said};
use roomcam::meeting::{SessionConfig, SessionError};
use roomcam::socketio::Endpoint;

struct Server {
    process: Child,
    origin: String,
    namespace: &'static str,
}

impl Server {
    fn start(program: &str, script: &str, env: &[(&str, &str)]) -> Self {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/signalling");
        let program =
            if program.starts_with('.') { format!("{folder}/{program}") } else { program.to_owned() };
        let mut process = Command::new(&program)
            .arg(format!("{folder}/{script}"))
            .envs(env.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("cannot start {program} ({error}); install it with make deps-test")
            });
        let mut origin = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut origin).unwrap();
        Self { process, origin: origin.trim().to_owned(), namespace: "/" }
    }

    fn mesh(names: &str) -> Self {
        Self::start(".venv/bin/python", "mesh.py", &[("NAMES", names)])
    }

    fn noom(form: &str, limit: &str) -> Self {
        Self::start("node", "noom.mjs", &[("FORM", form), ("LIMIT", limit)])
    }

    fn join(&self, dialect: &Dialect, name: &str) -> SessionHandle {
        let mut endpoint = Endpoint::new(&self.origin).unwrap();
        endpoint.namespace = self.namespace.into();
        session::spawn(SessionConfig::new(endpoint, "room-1", name), dialect.clone())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A process that has ended already is what is wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn two_meet_over_python_whatever_the_names() {
    for names in ["usual", "underscore", "hyphen"] {
        let server = Server::mesh(names);
        let dialect = Dialect::Mesh(Names::preset(names).unwrap());
        let mut ann = server.join(&dialect, "ann");
        let (ann_id, others) = joined(&mut ann).await;
        assert!(others.is_empty());
        let mut bob = server.join(&dialect, "bob");
        let (bob_id, others) = joined(&mut bob).await;
        assert_eq!(others.iter().map(|other| &other.id).collect::<Vec<_>>(), [&ann_id]);
        let Heard::Came(who) = heard(&mut ann).await else { panic!("bob came") };
        assert_eq!((&who.id, who.name.as_deref()), (&bob_id, Some("bob")));

        negotiate((&ann, &ann_id), (&mut bob, &bob_id)).await;
        negotiate((&bob, &bob_id), (&mut ann, &ann_id)).await;
        assert!(bob.say(Said::Camera { on: false }) && bob.say(Said::Mic { on: true }));
        assert_eq!(heard(&mut ann).await, Heard::Camera { whose: bob_id.clone(), on: false });
        assert_eq!(heard(&mut ann).await, Heard::Mic { whose: bob_id.clone(), on: true });
        // The server sends it to its writer too, who does not hear it.
        assert!(bob.say(Said::Chat("안녕".into())) && ann.say(Said::Chat("hi".into())));
        assert_eq!(heard(&mut ann).await, Heard::Chat { from: Some("bob".into()), text: "안녕".into() });
        assert_eq!(heard(&mut bob).await, Heard::Chat { from: Some("ann".into()), text: "hi".into() });

        bob.shutdown().await;
        assert_eq!(heard(&mut ann).await, Heard::Left(Departed { id: Some(bob_id), user_id: None }));
    }
}

#[tokio::test]
async fn two_meet_in_a_one_to_one_room_of_each_form() {
    for (form, dialect) in [("object", Form::Object), ("document", Form::Object), ("args", Form::Args)]
        .map(|(name, form)| (name, Dialect::Noom(form)))
    {
        let server = Server::noom(form, "none");
        let other = ParticipantId::other();
        let mut ann = server.join(&dialect, "ann");
        joined(&mut ann).await;
        let mut bob = server.join(&dialect, "bob");
        joined(&mut bob).await;
        let Heard::Came(who) = heard(&mut ann).await else { panic!("bob came") };
        assert_eq!(who.id, other);
        negotiate((&ann, &other), (&mut bob, &other)).await;
        negotiate((&bob, &other), (&mut ann, &other)).await;
        bob.shutdown().await;
        ann.shutdown().await;
    }
}

#[tokio::test]
async fn a_meeting_may_be_in_another_namespace() {
    let env = [("FORM", "args"), ("NAMESPACE", "/ws")];
    let mut server = Server::start("node", "noom.mjs", &env);
    let dialect = Dialect::Noom(Form::Args);
    server.namespace = "/elsewhere";
    let mut lost = server.join(&dialect, "lost");
    let error = ended(&mut lost).await;
    assert!(error.to_string().contains("check meeting.namespace"), "{error}");

    server.namespace = "/ws";
    let mut ann = server.join(&dialect, "ann");
    joined(&mut ann).await;
    let mut bob = server.join(&dialect, "bob");
    joined(&mut bob).await;
    let Heard::Came(_) = heard(&mut ann).await else { panic!("bob came") };
    let other = ParticipantId::other();
    negotiate((&ann, &other), (&mut bob, &other)).await;
    bob.shutdown().await;
    ann.shutdown().await;
}

#[tokio::test]
async fn many_meet_in_the_mesh_of_noom_until_it_is_full() {
    let server = Server::noom("mesh", "reject_join");
    let dialect = Dialect::Noom(Form::Mesh);
    let mut sessions = Vec::new();
    for number in 0..5 {
        let mut session = server.join(&dialect, &format!("number {number}"));
        let (id, others) = joined(&mut session).await;
        assert_eq!(others.len(), number, "the newcomer is not another");
        sessions.push((session, id));
    }
    let mut sixth = server.join(&dialect, "sixth");
    let error = ended(&mut sixth).await;
    assert!(matches!(error, SessionError::JoinRefused { .. }), "{error}");

    let [(ann, ann_id), (bob, bob_id), ..] = sessions.as_mut_slice() else { unreachable!() };
    negotiate((ann, ann_id), (bob, bob_id)).await;
    assert!(ann.say(Said::Chat("hi".into())));
    assert_eq!(heard(bob).await, Heard::Chat { from: None, text: "hi".into() });
    let (first, first_id) = sessions.remove(0);
    first.shutdown().await;
    let gone = heard(&mut sessions[1].0).await;
    let gone = if matches!(gone, Heard::Chat { .. }) { heard(&mut sessions[1].0).await } else { gone };
    assert_eq!(gone, Heard::Left(Departed { id: Some(first_id), user_id: None }));
}

#[tokio::test]
async fn a_third_is_refused_where_the_server_says_so() {
    let server = Server::noom("object", "room_full");
    let dialect = Dialect::Noom(Form::Object);
    let mut two = [server.join(&dialect, "ann"), server.join(&dialect, "bob")];
    for session in &mut two {
        joined(session).await;
    }
    let mut third = server.join(&dialect, "third");
    let error = ended(&mut third).await;
    assert!(error.to_string().contains("the room is full"), "{error}");
}
