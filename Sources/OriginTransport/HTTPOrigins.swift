package import NIOCore
import NIOSSL
import Synchronization
package import TunnelConfig

/// The HTTP/1.1 client towards origins: dials, secures, reuses. One for the process; everything it opens lives on the event
/// loop of the stream that asked.
package final class HTTPOrigins: Sendable {
    private let dialer = OriginDialer()
    private let tls = OriginTLS()
    private let pools = Mutex<[ObjectIdentifier: (loop: any EventLoop, pool: OriginPool)]>([:])

    package init() {}

    /// Sends a request. Call on the event loop.
    ///
    /// - Parameter answered: called once on the event loop with the response head, or with why there is none; not called
    ///   after the exchange was aborted.
    /// - Returns: the exchange, which may be spliced at once (not for an upgrade: that is answered first).
    package func send(
        _ request: HTTPRequest, to target: OriginTarget, options: OriginRequest, on eventLoop: any EventLoop,
        answered: @escaping (Result<OriginExchange.Answer, OriginError>) -> Void
    ) throws(OriginError) -> OriginExchange {
        eventLoop.preconditionInEventLoop()
        let head = try request.head(for: target, options: options)
        let name =
            target.tls ? OriginTLS.serverName(for: target, options: options, authority: request.authority) : nil
        let key = OriginPool.Key(target: target, options: options, serverName: name)
        let pool = pool(of: eventLoop)
        let exchange = OriginExchange(
            request, head: head, target: target, on: eventLoop,
            redial: { self.dial(key, pool, on: eventLoop, for: $0) }, answered: answered)
        if let connection = pool.take(key) {
            exchange.connected(.success(connection))
        } else {
            dial(key, pool, on: eventLoop, for: exchange)
        }
        return exchange
    }

    /// Closes the idle connections, and those that become idle from now on.
    package func close() {
        for (loop, pool) in pools.withLock({ Array($0.values) }) { loop.execute { pool.close() } }
    }

    private func pool(of eventLoop: any EventLoop) -> OriginPool {
        pools.withLock { pools in
            let id = ObjectIdentifier(eventLoop)
            if let known = pools[id] { return known.pool }
            let pool = OriginPool()
            pools[id] = (eventLoop, pool)
            return pool
        }
    }

    private func dial(
        _ key: OriginPool.Key, _ pool: OriginPool, on eventLoop: any EventLoop, for exchange: OriginExchange
    ) {
        let options = key.options
        let context: EventLoopFuture<NIOSSLContext?> =
            key.target.tls
            ? tls.context(for: options, on: eventLoop).map { $0 } : eventLoop.makeSucceededFuture(nil)
        let dialer = dialer
        context.flatMap { context in
            dialer.connect(to: key.target, options: options, on: eventLoop).flatMap { channel in
                HTTPConnection.install(
                    on: channel, tls: context, key: key, pool: pool, tlsTimeout: TimeAmount(options.tlsTimeout))
            }
        }.assumeIsolated().whenComplete { result in
            exchange.connected(result.mapError { OriginError.connecting(to: key.target, $0) })
        }
    }
}
