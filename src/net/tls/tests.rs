use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

use crate::net::Stream;
use crate::wire::Inbox;

/// Both sides' settings, of these versions.
fn configs(versions: &[&'static rustls::SupportedProtocolVersion]) -> (Arc<ClientConfig>, Arc<ServerConfig>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let client = ClientConfig::builder_with_protocol_versions(versions);
    let server = ServerConfig::builder_with_protocol_versions(versions);
    let server = server.with_no_client_auth().with_single_cert(vec![certificate], key.into()).unwrap();
    (Arc::new(client.with_root_certificates(roots).with_no_client_auth()), Arc::new(server))
}

async fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (client, accepted) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    let (server, _) = accepted.unwrap();
    for socket in [client.as_ref().unwrap(), &server] {
        socket.set_nodelay(true).unwrap();
    }
    (client.unwrap(), server)
}

async fn pair(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> (Stream, Stream) {
    let (near, far) = sockets().await;
    let (mut near, mut far) = (Stream::from(near), Stream::from(far));
    let name = ServerName::try_from("localhost").unwrap();
    let (a, b) = tokio::join!(
        near.secure(ClientConnection::new(client.clone(), name).unwrap(), b""),
        far.secure(ServerConnection::new(server.clone()).unwrap(), b"")
    );
    a.unwrap();
    b.unwrap();
    (near, far)
}

async fn read_all(stream: &mut Stream, len: usize) -> Vec<u8> {
    let mut inbox = Inbox::default();
    while inbox.len() < len {
        stream.read(&mut inbox).await.unwrap();
    }
    inbox.space(0).to_vec()
}

/// Until the other task had time to send what it sends.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

#[tokio::test]
async fn bytes_pass_both_ways_in_both_versions() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let (client, server) = configs(&[version]);
        let (mut near, mut far) = pair(&client, &server).await;
        assert!(near.is_secure() && far.is_secure());
        assert!(
            near.tls().unwrap().version.as_str().ends_with(if version.version == rustls::ProtocolVersion::TLSv1_2 {
                "1.2"
            } else {
                "1.3"
            })
        );
        near.write_all(b"ask", None).await.unwrap();
        assert_eq!(read_all(&mut far, 3).await, b"ask");
        // More than the sockets and the session's buffer hold.
        let long: Vec<u8> = (0..20 << 20).map(|at: u32| at.to_le_bytes()[1]).collect();
        let (sent, got) =
            tokio::join!(far.write_all(&long, Some(Duration::from_secs(10))), read_all(&mut near, long.len()));
        sent.unwrap();
        assert!(got == long);
    }
}

#[tokio::test]
async fn a_session_ticket_is_no_news_and_data_and_the_end_are() {
    let (client, server) = configs(&[&rustls::version::TLS13]);
    // Tickets are sent behind the handshake.
    let (mut near, mut far) = pair(&client, &server).await;
    settle().await;
    assert!(near.is_quiet() && far.is_quiet());
    assert!(near.is_quiet(), "and it stays so");
    near.write_all(b"x", None).await.unwrap();
    assert_eq!(read_all(&mut far, 1).await, b"x");
    far.write_all(b"unasked", None).await.unwrap();
    settle().await;
    assert!(!near.is_quiet());

    let (mut near, mut far) = pair(&client, &server).await;
    far.shutdown().await.unwrap();
    settle().await;
    assert!(!near.is_quiet(), "close_notify");
    near.readable().await.unwrap();
    let error = near.read(&mut Inbox::default()).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);

    // The end of the socket without the session's.
    let (mut near, far) = pair(&client, &server).await;
    drop(far);
    settle().await;
    assert!(!near.is_quiet());
    assert!(near.read(&mut Inbox::default()).await.is_err());
}

#[tokio::test]
async fn what_came_with_the_handshakes_end_is_read() {
    let (client, server) = configs(&[&rustls::version::TLS13]);
    let (near, far) = sockets().await;
    let mut far = Stream::from(far);
    let name = ServerName::try_from("localhost").unwrap();
    let mut connection = ClientConnection::new(client, name).unwrap();
    let mut near = near.into_std().unwrap();
    near.set_nonblocking(false).unwrap();
    let early = tokio::task::spawn_blocking(move || {
        use std::io::Write as _;
        // The last flight of the handshake and the first words leave as one.
        while connection.is_handshaking() {
            while connection.wants_write() {
                connection.write_tls(&mut near).unwrap();
            }
            connection.read_tls(&mut near).unwrap();
            connection.process_new_packets().unwrap();
        }
        connection.writer().write_all(b"at once").unwrap();
        let mut all = Vec::new();
        while connection.wants_write() {
            connection.write_tls(&mut all).unwrap();
        }
        near.write_all(&all).unwrap();
        near
    });
    far.secure(ServerConnection::new(server).unwrap(), b"").await.unwrap();
    far.readable().await.unwrap();
    assert_eq!(read_all(&mut far, 7).await, b"at once");
    drop(early.await.unwrap());
}

#[tokio::test]
async fn plain_bytes_are_never_taken_for_encrypted_ones() {
    let (client, server) = configs(&[&rustls::version::TLS13]);
    // Read before TLS began.
    let (_near, far) = sockets().await;
    let mut far = Stream::from(far);
    let error = far.secure(ServerConnection::new(server.clone()).unwrap(), b"\x03\0\0\0\x03DO").await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);

    // In the middle of a session.
    let (near, far) = sockets().await;
    let mut far = Stream::from(far);
    let mut near = Stream::from(near);
    let name = ServerName::try_from("localhost").unwrap();
    let (a, b) = tokio::join!(
        near.secure(ClientConnection::new(client, name).unwrap(), b""),
        far.secure(ServerConnection::new(server).unwrap(), b"")
    );
    a.unwrap();
    b.unwrap();
    near.write_unencrypted(b"\x09\0\0\0\x03SELECT 1 ").await;
    let error = far.read(&mut Inbox::default()).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
}

#[tokio::test]
async fn a_peer_that_goes_during_the_handshake_is_an_error() {
    let (_, server) = configs(&[&rustls::version::TLS13]);
    let (mut near, far) = sockets().await;
    let mut far = Stream::from(far);
    near.write_all(&[0x16, 3, 1]).await.unwrap();
    near.shutdown().await.unwrap();
    let error = far.secure(ServerConnection::new(server).unwrap(), b"").await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
}
