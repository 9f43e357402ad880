package import NIOCore
package import NIOHTTP1

/// A `BytePipe` over a channel whose pipeline carries `ByteBuffer` both ways: a TCP or Unix socket, with or without TLS.
///
/// Sits at the tail of the pipeline and owns `autoRead` from then on. Lives as long as the channel.
///
/// Safety of `@unchecked Sendable`: every member is used on the channel's event loop only, as `BytePipe` demands; it is
/// passed between loops solely as a reference on the way to that loop.
// Safety: confined to the channel's event loop by the contract of BytePipe.
package final class ChannelPipe: ChannelInboundHandler, BytePipe, @unchecked Sendable {
    package typealias InboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    package let channel: any Channel
    private let inbox = PipeInbox()
    private var context: ChannelHandlerContext?
    private var outputFinished = false
    private var outputDrained = false
    private var inputDismissed = false

    private init(channel: any Channel) {
        self.channel = channel
    }

    /// Puts a pipe at the tail of the channel's pipeline. The channel must have been made with `autoRead` off, else bytes
    /// may have been lost before; call on the channel's event loop.
    ///
    /// - Throws: when the channel is closed already or reads by itself.
    package static func install(on channel: any Channel) throws -> ChannelPipe {
        channel.eventLoop.preconditionInEventLoop()
        guard let options = channel.syncOptions, try !options.getOption(.autoRead) else {
            throw ChannelPipeError.channelReadsByItself
        }
        try options.setOption(.allowRemoteHalfClosure, value: true)
        let pipe = ChannelPipe(channel: channel)
        try channel.pipeline.syncOperations.addHandler(pipe)
        return pipe
    }

    package var eventLoop: any EventLoop { channel.eventLoop }
    package var isWritable: Bool { channel.isWritable }

    package func attach(_ sink: any BytePipeSink) {
        inbox.attach(sink)
    }

    package func read() {
        if inbox.read() { context?.read() }
    }

    package func write(_ bytes: ByteBuffer) {
        guard !outputFinished else { return }
        context?.write(wrapOutboundOut(bytes), promise: nil)
    }

    package func flush() {
        context?.flush()
    }

    package func finish(trailers: HTTPHeaders?) {
        guard !outputFinished, let context else { return }
        outputFinished = true
        // Closing drops what the socket has not taken yet, and so does ending our direction once the peer ended its own.
        // An empty write completes after all of it.
        let drained = channel.eventLoop.makePromise(of: Void.self)
        drained.futureResult.assumeIsolated().whenComplete { result in
            if case .success = result { self.outputDrained = true }
            self.endOutput()
        }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: drained)
    }

    private func endOutput() {
        guard let context else { return }
        if inbox.isFinished || inputDismissed {
            context.close(promise: nil)
        } else {
            context.close(mode: .output, promise: nil)
        }
    }

    package func dismissInput() {
        inputDismissed = true
        if outputDrained { context?.close(promise: nil) }
    }

    package func abort() {
        guard !inbox.isClosed else {
            // The stream is over, but what it left may wait for a reader that has gone.
            inbox.closed(PipeError.aborted)
            return
        }
        outputFinished = true
        inbox.closed(PipeError.aborted)
        channel.close(promise: nil)
    }

    // MARK: ChannelInboundHandler

    package func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    package func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        inbox.closed(PipeError.closedByPeer)
    }

    package func channelActive(context: ChannelHandlerContext) {
        // A read asked for before the channel was active is lost.
        if inbox.readCompleted() { context.read() }
        context.fireChannelActive()
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        inbox.received(unwrapInboundIn(data))
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        if inbox.readCompleted() { context.read() }
    }

    package func channelWritabilityChanged(context: ChannelHandlerContext) {
        inbox.writabilityChanged()
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case ChannelEvent.inputClosed = event else {
            context.fireUserInboundEventTriggered(event)
            return
        }
        inbox.finished()
        if outputDrained { context.close(promise: nil) }
    }

    package func channelInactive(context: ChannelHandlerContext) {
        // A clean end needs both directions ended. With ours ended NIO closes at the peer's end, without telling of it by an
        // event first; an end that was no proper one came as an error. A peer that closes while we still write has left.
        inbox.closed(outputDrained ? nil : PipeError.closedByPeer)
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        inbox.closed(error)
        context.close(promise: nil)
    }
}

/// A channel that cannot carry a pipe.
package enum ChannelPipeError: Error, CustomStringConvertible {
    /// `autoRead` was on: bytes may have passed before the pipe was there.
    case channelReadsByItself

    package var description: String { "the channel already reads by itself; a pipe takes paused channels only" }
}
