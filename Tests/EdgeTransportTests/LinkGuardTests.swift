import NIOCore
import NIOEmbedded
import NIOHTTP2
import Testing

@testable import EdgeTransport

/// The guard alone, with the time of its event loop, and a kernel that says what the test wants.
@Suite struct LinkGuardTests {
    private final class Kernel {
        var progress: SendProgress? = SendProgress(acknowledged: 0, isWaiting: false)
    }

    private struct Scene {
        let channel = EmbeddedChannel()
        let kernel = Kernel()
        let configuration = LinkConfiguration()

        init() throws {
            let kernel = kernel
            let socket = LinkSocket()
            let linkGuard = LinkGuard(configuration: configuration, socket: socket, on: channel.embeddedEventLoop) {
                kernel.progress.map($0.eventLoop.makeSucceededFuture)
                    ?? $0.eventLoop.makeFailedFuture(ChannelError.operationUnsupported)
            }
            try channel.pipeline.syncOperations.addHandlers(socket, linkGuard)
            try channel.connect(to: SocketAddress(ipAddress: "192.0.2.1", port: 7844)).wait()
            try channel.writeInbound(HTTP2Frame(streamID: .rootStream, payload: .settings(.settings([]))))
        }

        /// Lets time pass until just before or just after a deadline.
        func pass(_ amount: TimeAmount) { channel.embeddedEventLoop.advanceTime(by: amount) }

        /// Answers the PING that is under way.
        func pong() throws {
            let answer = HTTP2PingData(withInteger: 0)
            try channel.writeInbound(HTTP2Frame(streamID: .rootStream, payload: .ping(answer, ack: true)))
        }
    }

    @Test func `a peer that answers lives, and one that does not is cut when its time is up`() throws {
        let scene = try Scene()
        for _ in 0..<10 {
            try scene.pong()
            scene.pass(scene.configuration.pingInterval)
        }
        #expect(scene.channel.isActive)
        scene.pass(scene.configuration.pingTimeout - .milliseconds(1))
        #expect(scene.channel.isActive)
        scene.pass(.milliseconds(1))
        #expect(!scene.channel.isActive)
    }

    @Test func `a peer on a slow way, which takes what is sent, is given time`() throws {
        let scene = try Scene()
        try scene.pong()
        scene.pass(scene.configuration.pingInterval)
        for round in 1...20 as ClosedRange<UInt64> {
            scene.kernel.progress = SendProgress(acknowledged: round * 1000, isWaiting: true)
            scene.pass(scene.configuration.pingTimeout)
            #expect(scene.channel.isActive)
        }
        // Nothing more is taken.
        scene.pass(scene.configuration.pingTimeout)
        #expect(!scene.channel.isActive)
    }

    @Test func `a peer whose kernel has taken all and whose program says nothing is cut`() throws {
        let scene = try Scene()
        try scene.pong()
        scene.pass(scene.configuration.pingInterval)
        scene.kernel.progress = SendProgress(acknowledged: 1000, isWaiting: false)
        scene.pass(scene.configuration.pingTimeout)
        #expect(!scene.channel.isActive)
    }

    @Test func `a kernel that tells nothing costs no link, and saves none`() throws {
        let scene = try Scene()
        scene.kernel.progress = nil
        try scene.pong()
        scene.pass(scene.configuration.pingInterval)
        #expect(scene.channel.isActive)
        scene.pass(scene.configuration.pingTimeout)
        #expect(!scene.channel.isActive)
    }
}
