package import ByteStream
package import NIOCore
package import NIOHTTP1

/// The far end of a socket: sends all it has as the socket takes it, ends its direction, and keeps what comes in.
// Safety: used on the event loop of its pipe only.
package final class SocketPeer: BytePipeSink, @unchecked Sendable {
    private let pipe: ChannelPipe
    private var outgoing: ByteBuffer
    private let pieces: Int
    private var waiting: Bool
    private var received = ByteBuffer()
    private var endsAtFirstBytes = false
    private let ended: EventLoopPromise<ByteBuffer>

    private init(_ pipe: ChannelPipe, sending: ByteBuffer, waiting: Bool, pieces: Int) {
        self.pipe = pipe
        self.pieces = pieces
        self.waiting = waiting
        outgoing = sending
        ended = pipe.eventLoop.makePromise()
    }

    /// What came in, once both directions ended cleanly.
    package static func start(
        _ pipe: ChannelPipe, sending bytes: ByteBuffer, afterPeerEnded waiting: Bool = false, pieces: Int = 60_000
    ) -> EventLoopFuture<ByteBuffer> {
        let peer = SocketPeer(pipe, sending: bytes, waiting: waiting, pieces: pieces)
        pipe.eventLoop.execute {
            pipe.attach(peer)
            pipe.read()
            peer.send()
        }
        return peer.ended.futureResult
    }

    /// Sends bytes and returns the first that come back; the connection stays open, with nobody listening.
    package static func firstBytes(
        of pipe: ChannelPipe, afterSending bytes: ByteBuffer
    ) -> EventLoopFuture<ByteBuffer> {
        let peer = SocketPeer(pipe, sending: bytes, waiting: true, pieces: bytes.readableBytes)
        pipe.eventLoop.execute {
            peer.endsAtFirstBytes = true
            pipe.attach(peer)
            pipe.read()
            pipe.write(bytes)
            pipe.flush()
        }
        return peer.ended.futureResult
    }

    private func send() {
        guard !waiting else { return }
        while pipe.isWritable, let piece = outgoing.readSlice(length: min(pieces, outgoing.readableBytes)),
            piece.readableBytes > 0
        {
            pipe.write(piece)
            pipe.flush()
        }
        if outgoing.readableBytes == 0 { pipe.finish(trailers: nil) }
    }

    package func pipeReceived(_ bytes: ByteBuffer) { received.writeImmutableBuffer(bytes) }
    package func pipeReadCompleted() {
        if endsAtFirstBytes { ended.succeed(received) } else { pipe.read() }
    }
    package func pipeWritabilityChanged() { send() }

    package func pipeFinished(trailers: HTTPHeaders?) {
        waiting = false
        send()
    }

    package func pipeClosed(_ error: (any Error)?) {
        if let error { ended.fail(error) } else { ended.succeed(received) }
    }
}
