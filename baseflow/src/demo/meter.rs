//! A simulated station as its agent sees it: a Modbus TCP server on loopback. What its registers
//! hold is worked out when they are asked for.

use std::{future::ready, io, net::SocketAddr, sync::Arc};

use model::fault::Chain;
use runtime::{clock::Clock, tasks::Stage};
use tokio::net::TcpListener;
use tokio_modbus::{
    ExceptionCode, Request, Response,
    server::{
        Service,
        tcp::{Server, accept_tcp_connection},
    },
};
use tracing::error;

use super::{
    gateway,
    sites::Site,
    story::{self, Begun},
};

/// A meter, for one connection.
#[derive(Debug, Clone)]
pub(super) struct Station {
    /// Of which station.
    pub(super) site: &'static Site,
    /// The time.
    pub(super) clock: Arc<dyn Clock>,
    /// When the demonstration was announced.
    pub(super) begun: Begun,
}

impl Station {
    /// Listens on a free port of loopback, until `stage` stops, and says where.
    pub(super) async fn listen(self, stage: &Stage) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (stop, name) = (stage.stopping(), self.site.id);
        stage.spawn(format!("meter/{name}"), async move {
            let station = Arc::new(self);
            let service = |_peer| Ok(Some(Arc::clone(&station)));
            let connected = |stream, peer| ready(accept_tcp_connection(stream, peer, service));
            // an agent that goes ends its connection as it likes
            let server = Server::new(listener);
            let serving = server.serve_until(&connected, |_over| {}, stop.cancelled_owned());
            if let Err(failure) = serving.await {
                error!(station = name, error = %Chain(&failure), "simulated meter serves no more");
            }
        });
        Ok(address)
    }

    fn words(&self, first: u16, count: u16) -> Result<Vec<u16>, ExceptionCode> {
        let now = self.clock.now();
        let disturbed = story::disturbed(self.site.id, &self.begun, now);
        let word = |address: u16| gateway::word(self.site, address, now.as_ms(), disturbed);
        let addresses = (first..).take(usize::from(count));
        let words: Option<Vec<u16>> = addresses.map(word).collect();
        words
            .filter(|words| words.len() == usize::from(count))
            .ok_or(ExceptionCode::IllegalDataAddress)
    }
}

impl Service for Station {
    type Request = Request<'static>;
    type Response = Response;
    type Exception = ExceptionCode;
    type Future = std::future::Ready<Result<Response, ExceptionCode>>;

    fn call(&self, asked: Self::Request) -> Self::Future {
        let Request::ReadHoldingRegisters(first, count) = asked else {
            return ready(Err(ExceptionCode::IllegalFunction));
        };
        ready(self.words(first, count).map(Response::ReadHoldingRegisters))
    }
}
