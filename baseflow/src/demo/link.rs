//! The link of one gateway, which can be cut: a port that leads to the broker while it is not.

use std::{io, net::SocketAddr};

use model::fault::Chain;
use runtime::tasks::Stage;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tracing::{debug, error};

/// Listens on a free port of loopback until `stage` stops, and says where. Whoever connects is led
/// to `broker`, as long as `is_cut` does not hold; when it begins to, connections end.
///
/// One agent connects, to one connection at a time; so there is no bound of its own.
pub(super) async fn listen(
    broker: SocketAddr,
    is_cut: watch::Receiver<bool>,
    stage: &Stage,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (tasks, stop) = (stage.clone(), stage.stopping());
    stage.spawn("link", async move {
        loop {
            let stream = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _peer)) => stream,
                    Err(failure) => {
                        error!(error = %Chain(&failure), "cannot take a connection to the link");
                        return;
                    }
                },
            };
            tasks.spawn("link/connection", lead(stream, broker, is_cut.clone(), tasks.clone()));
        }
    });
    Ok(address)
}

async fn lead(
    mut near: TcpStream,
    broker: SocketAddr,
    mut is_cut: watch::Receiver<bool>,
    stage: Stage,
) {
    let stop = stage.stopping();
    let led = async {
        let mut far = TcpStream::connect(broker).await?;
        // small packets are answered at once, as on any other link
        near.set_nodelay(true)?;
        far.set_nodelay(true)?;
        copy_bidirectional(&mut near, &mut far).await
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        _ = is_cut.wait_for(|is_cut| *is_cut) => {}
        ended = led => if let Err(failure) = ended {
            debug!(error = %Chain(&failure), "link ended");
        },
    }
}
