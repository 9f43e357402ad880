import EdgeTransport
package import NIOCore

/// The streams of one link that are being served. Lives as long as its session; every member is used on the link's event
/// loop.
// Safety: confined to the event loop; references only cross.
package final class StreamLedger: @unchecked Sendable {
    /// The connection's number, for logs.
    let connIndex: UInt8?

    private let eventLoop: any EventLoop
    private var streams: [ObjectIdentifier: LinkStream] = [:]
    private var idle: [() -> Void] = []

    package init(on eventLoop: any EventLoop, connIndex: UInt8? = nil) {
        self.eventLoop = eventLoop
        self.connIndex = connIndex
    }

    /// Streams served now.
    package var count: Int { streams.count }

    /// Calls back once no stream is served any more, at once if none is.
    package func whenIdle(_ body: @escaping () -> Void) {
        eventLoop.preconditionInEventLoop()
        if streams.isEmpty { body() } else { idle.append(body) }
    }

    /// Ends every stream now. What their visitors see is a broken answer.
    package func abortAll() {
        eventLoop.preconditionInEventLoop()
        for stream in streams.values { stream.abort() }
    }

    /// Counts a stream until its channel is closed.
    func add(_ stream: LinkStream, ended: @escaping () -> Void) {
        let id = ObjectIdentifier(stream)
        streams[id] = stream
        stream.ended.assumeIsolated().whenComplete { _ in
            ended()
            self.streams[id] = nil
            guard self.streams.isEmpty else { return }
            let waiting = self.idle
            self.idle = []
            for body in waiting { body() }
        }
    }
}
