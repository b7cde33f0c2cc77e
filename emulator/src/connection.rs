//! Connections that a fault can cut without an answer, and that end when the server stops.

use std::{io, sync::Arc};

use axum::{extract::connect_info::Connected, serve::IncomingStream, serve::Listener};
use tokio::{
    io::{DuplexStream, copy_bidirectional, duplex},
    net::TcpListener,
    sync::Notify,
    task::JoinSet,
};

/// The bytes buffered between a client and the server.
const BUFFER: usize = 64 * 1024;

/// A TCP listener. Each connection has a [`ResetHandle`] and ends when the listener is dropped.
pub struct CuttableListener {
    inner: TcpListener,
    connections: JoinSet<()>,
}

/// Cuts the connection of a request.
#[derive(Debug, Clone, Default)]
pub struct ResetHandle(Arc<Notify>);

impl CuttableListener {
    pub fn new(inner: TcpListener) -> Self {
        Self { inner, connections: JoinSet::new() }
    }
}

impl ResetHandle {
    /// Ends the connection; the client receives no answer.
    pub fn reset(&self) {
        self.0.notify_one();
    }
}

impl Listener for CuttableListener {
    type Io = DuplexStream;
    type Addr = ResetHandle;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (mut client, _) = Listener::accept(&mut self.inner).await;
        let (server, mut between) = duplex(BUFFER);
        let handle = ResetHandle::default();
        let cut = handle.clone();
        self.connections.spawn(async move {
            tokio::select! {
                // An error means that the client disconnected.
                _ = copy_bidirectional(&mut client, &mut between) => {}
                () = cut.0.notified() => {}
            }
        });
        (server, handle)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(ResetHandle::default())
    }
}

impl Connected<IncomingStream<'_, CuttableListener>> for ResetHandle {
    fn connect_info(stream: IncomingStream<'_, CuttableListener>) -> Self {
        stream.remote_addr().clone()
    }
}
