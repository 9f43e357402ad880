package import NIOSSL
import Synchronization

/// The certificates in force: read by every new connection without waiting, replaced whole by a reload. A connection keeps
/// what it began with.
package final class EdgeCertificates: Sendable {
    package struct Pair: Sendable {
        /// Towards connectors; see `EdgeTLS.edge`.
        package var tunnel: NIOSSLContext
        package var visitor: VisitorTLS

        package init(tunnel: NIOSSLContext, visitor: VisitorTLS) {
            self.tunnel = tunnel
            self.visitor = visitor
        }
    }

    private let value: Mutex<Pair>

    init(_ first: Pair) {
        value = Mutex(first)
    }

    var now: Pair { value.withLock { $0 } }

    package func replace(by next: Pair) {
        value.withLock { $0 = next }
    }
}
