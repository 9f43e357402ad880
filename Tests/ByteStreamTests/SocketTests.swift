import ByteStream
import NIOCore
import NIOPosix
import TestKit
import Testing

/// Real loopback sockets. Of each pair one end is the test's peer, the other the pipe that a program would hold.
@Suite struct SocketTests {
    private let group = MultiThreadedEventLoopGroup.singleton

    private func pipes(
        on loop: any EventLoop, and acceptLoop: (any EventLoop)? = nil
    ) async throws -> (peer: ChannelPipe, pipe: ChannelPipe) {
        let accepted = loop.makePromise(of: ChannelPipe.self)
        let listener = try await ServerBootstrap(group: loop, childGroup: acceptLoop ?? loop)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { channel in
                let pipe = Result { try ChannelPipe.install(on: channel) }
                accepted.completeWith(pipe)
                return channel.eventLoop.makeCompletedFuture(pipe.map { _ in })
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let address = try #require(listener.localAddress)
        let peer = try await ClientBootstrap(group: loop).channelOption(.autoRead, value: false).connect(to: address) {
            channel in
            channel.eventLoop.makeCompletedFuture { try ChannelPipe.install(on: channel) }
        }
        let pipe = try await accepted.futureResult.get()
        try await listener.close().get()
        return (peer, pipe)
    }

    private func splice(
        _ left: ChannelPipe, _ right: ChannelPipe, wrap: @escaping @Sendable (ChannelPipe) -> any BytePipe = { $0 }
    ) -> EventLoopFuture<Splice.Summary> {
        let ended = left.eventLoop.makePromise(of: Splice.Summary.self)
        left.eventLoop.execute {
            Splice.join(left, wrap(right)) { ended.succeed($0) }
        }
        return ended.futureResult
    }

    @Test func `16 MiB cross each way at once and both ends are told`() async throws {
        let loop = group.next()
        let (a, left) = try await pipes(on: loop)
        let (b, right) = try await pipes(on: loop)
        let up = patternBytes(16 << 20, seed: 1)
        let down = patternBytes(16 << 20, seed: 2)
        let ended = splice(left, right)
        let atA = SocketPeer.start(a, sending: up)
        let atB = SocketPeer.start(b, sending: down)
        #expect(try await atA.get() == down)
        #expect(try await atB.get() == up)
        let summary = try await ended.get()
        #expect(summary.bytesLeftToRight == 16 << 20)
        #expect(summary.bytesRightToLeft == 16 << 20)
        #expect(summary.error == nil)
    }

    @Test func `a side that ended first still gets all of the answer`() async throws {
        let loop = group.next()
        let (a, left) = try await pipes(on: loop)
        let (b, right) = try await pipes(on: loop)
        let answer = patternBytes(16 << 20, seed: 7)
        let ended = splice(left, right)
        let atA = SocketPeer.start(a, sending: ByteBuffer(string: "question"))
        let atB = SocketPeer.start(b, sending: answer, afterPeerEnded: true)
        #expect(try await atB.get() == ByteBuffer(string: "question"))
        #expect(try await atA.get() == answer)
        #expect(try await ended.get().error == nil)
    }

    @Test func `an end does not cut what the socket has not taken yet`() async throws {
        let loop = group.next()
        let (a, left) = try await pipes(on: loop)
        let answer = patternBytes(16 << 20, seed: 9)
        // One write of more than a socket holds, and the end at once, when the peer has ended already.
        let ours = SocketPeer.start(left, sending: answer, afterPeerEnded: true, pieces: answer.readableBytes)
        let atA = SocketPeer.start(a, sending: ByteBuffer())
        #expect(try await atA.get() == answer)
        #expect(try await ours.get().readableBytes == 0)
    }

    @Test func `a peer that ends while our last bytes are queued still gets them`() async throws {
        let loop = group.next()
        let (a, left) = try await pipes(on: loop)
        let answer = patternBytes(16 << 20, seed: 10)
        let ours = SocketPeer.start(left, sending: answer, pieces: answer.readableBytes)
        let atA = SocketPeer.start(a, sending: ByteBuffer(string: "late"))
        #expect(try await atA.get() == answer)
        #expect(try await ours.get() == ByteBuffer(string: "late"))
    }

    @Test func `a bridge carries 16 MiB each way between two loops`() async throws {
        let loops = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let near = loops.next()
        let (a, left) = try await pipes(on: near)
        let (b, right) = try await pipes(on: near, and: loops.next())
        #expect(near !== right.eventLoop)
        let up = patternBytes(16 << 20, seed: 3)
        let down = patternBytes(16 << 20, seed: 4)
        let handover = LoopBridge.Handover(right)
        let ended = splice(left, right) { _ in LoopBridge(handover, to: near) }
        let atA = SocketPeer.start(a, sending: up)
        let atB = SocketPeer.start(b, sending: down)
        #expect(try await atA.get() == down)
        #expect(try await atB.get() == up)
        let summary = try await ended.get()
        #expect(summary.bytesLeftToRight == 16 << 20)
        #expect(summary.bytesRightToLeft == 16 << 20)
        #expect(summary.error == nil)
        try await loops.shutdownGracefully()
    }

    @Test func `a WebSocket between two splices carries 16 MiB each way`() async throws {
        let loop = group.next()
        let (a, left) = try await pipes(on: loop)
        let (b, right) = try await pipes(on: loop)
        let (clientEnd, serverEnd) = try await pipes(on: loop)
        let up = patternBytes(16 << 20, seed: 5)
        let down = patternBytes(16 << 20, seed: 6)
        let first = splice(left, clientEnd) { WebSocketPipe($0, role: .client) }
        let second = splice(right, serverEnd) { WebSocketPipe($0, role: .server) }
        let atA = SocketPeer.start(a, sending: up)
        let atB = SocketPeer.start(b, sending: down, afterPeerEnded: true)
        #expect(try await atB.get() == up)
        #expect(try await atA.get() == down)
        #expect(try await first.get().error == nil)
        #expect(try await second.get().error == nil)
    }
}
