package import ByteStream
package import NIOCore
package import NIOHTTP1
package import TunnelConfig

/// A client that speaks SOCKS5 inside a pipe: takes the pipe over until the client has named its destination and was
/// answered; then the pipe is free for a splice.
///
/// Reads nothing while the destination is dialled. Lives as long as the pipe, or until that is spliced.
package final class SOCKS5Client: BytePipeSink {
    private let pipe: any BytePipe
    private var dialogue = SOCKS5Dialogue()
    private var held = ByteBuffer()
    private var timer: Scheduled<Void>?
    private var asked: ((SOCKS5Client, JumpDestination) -> Void)?

    private init(_ pipe: any BytePipe, asked: @escaping (SOCKS5Client, JumpDestination) -> Void) {
        self.pipe = pipe
        self.asked = asked
    }

    /// Begins to read. On the pipe's event loop.
    ///
    /// - Parameters:
    ///   - patience: how long the client may take to name its destination; the pipe is aborted then.
    ///   - asked: called at most once, with the destination; answer with `accept` or `refuse`.
    package static func listen(
        on pipe: any BytePipe, within patience: TimeAmount,
        asked: @escaping (_ client: SOCKS5Client, _ destination: JumpDestination) -> Void
    ) {
        let client = SOCKS5Client(pipe, asked: asked)
        client.timer = pipe.eventLoop.assumeIsolated().scheduleTask(in: patience) { [weak client] in client?.hangUp() }
        pipe.attach(client)
        pipe.read()
    }

    /// Tells the client that the way is open, and the destination what the client said already. Splice both next.
    package func accept(_ destination: ChannelPipe) {
        pipe.write(SOCKS5Dialogue.reply(.succeeded, bound: destination.channel.localAddress))
        pipe.flush()
        guard held.readableBytes > 0 else { return }
        destination.write(held)
        destination.flush()
    }

    /// Tells the client why there is no way, and ends the pipe.
    package func refuse(_ error: OriginError) {
        end(with: SOCKS5Dialogue.reply(SOCKS5Dialogue.Reply(error)))
    }

    private func end(with lastWord: ByteBuffer) {
        stopWaiting()
        pipe.write(lastWord)
        pipe.finish(trailers: nil)
        pipe.dismissInput()
    }

    private func hangUp() {
        stopWaiting()
        pipe.abort()
    }

    private func stopWaiting() {
        timer?.cancel()
        timer = nil
        asked = nil
    }

    // MARK: BytePipeSink

    package func pipeReceived(_ bytes: ByteBuffer) {
        held.writeImmutableBuffer(bytes)
        while asked != nil {
            switch dialogue.received(&held) {
            case .none: return
            case .send(let answer):
                pipe.write(answer)
                pipe.flush()
            case .connect(let destination):
                let asked = self.asked
                stopWaiting()
                asked?(self, destination)
            case .refuse(let answer): end(with: answer)
            case .hangUp: hangUp()
            }
        }
    }

    package func pipeReadCompleted() {
        if asked != nil { pipe.read() }
    }

    package func pipeFinished(trailers: HTTPHeaders?) {
        // A client that ends before it was answered wants nothing any more.
        hangUp()
    }

    package func pipeWritabilityChanged() {}

    package func pipeClosed(_ error: (any Error)?) {
        stopWaiting()
    }
}
