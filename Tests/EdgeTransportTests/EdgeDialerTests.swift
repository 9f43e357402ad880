import ByteStream
import NIOCore
import NIOPosix
import TestKit
import Testing

@testable import EdgeTransport

/// Dials that go through a proxy, or from a local address.
@Suite(.timeLimit(.minutes(1))) struct EdgeDialerTests {
    private func dial(
        _ configuration: LinkConfiguration, to edge: EdgeEndpoint = .name("far-edge.test", port: 7844)
    ) async throws {
        let certificates = try TestCertificates.shared.get()
        let link = try await HTTP2Link.dial(
            edge, tls: EdgeTLS.connector(caFile: certificates.authorityFile, postQuantumOnly: false),
            on: MultiThreadedEventLoopGroup.singleton.next(), configuration: configuration
        ) { $0.refuse() }
        throw await LinkError(.closedByPeer, "became ready", cause: try? link.ended.get())
    }

    private func through(_ proxy: TestOrigin, _ kind: ProxyServer.Kind = .http) -> LinkConfiguration {
        var configuration = LinkConfiguration()
        configuration.proxy = ProxyServer(
            kind: kind, host: "127.0.0.1", port: proxy.port, login: .init(user: "user", password: "secretword"))
        return configuration
    }

    @Test(arguments: [
        ("HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n", "put user:password@ into the URL"),
        ("HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n", "it answered 502"), ("SSH-2.0\r\n\r\n", "check --edge-proxy"),
    ])
    func `a proxy that refuses is named with its remedy and without the login`(answer: String, remedy: String)
        async throws
    {
        let proxy = try await TestOrigin.raw { _, channel in
            channel.writeAndFlush(ByteBuffer(string: answer), promise: nil)
        }
        await #expect {
            try await dial(through(proxy))
        } throws: { error in
            guard let error = error as? LinkError else { return false }
            return error.code == .dialFailed && error.description.contains(remedy)
                && error.description.contains("far-edge.test:7844") && !error.description.contains("secretword")
        }
        await proxy.stop()
    }

    @Test func `a proxy that says nothing is given up in time, or when cancelled`() async throws {
        let proxy = try await TestOrigin.start { _ in }
        var short = through(proxy, .socks5)
        short.startTimeout = .milliseconds(100)
        await #expect { try await dial(short) } throws: { ($0 as? LinkError)?.code == .dialFailed }
        var long = through(proxy)
        long.startTimeout = .hours(1)
        await withTaskGroup { tasks in
            tasks.addTask { [long] in await #expect(throws: LinkError.self) { try await dial(long) } }
            tasks.cancelAll()
        }
        await proxy.stop()
    }

    /// A name service that says nothing until its end.
    private final class SilentNames: Resolver, Sendable {
        private let promise: EventLoopPromise<[SocketAddress]>

        init(on eventLoop: any EventLoop) { promise = eventLoop.makePromise() }

        func initiateAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> { promise.futureResult }
        func initiateAAAAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> { promise.futureResult }
        func cancelQueries() {}
        func end() { promise.fail(ChannelError.eof) }
    }

    @Test func `a cancelled dial does not wait for the name of its proxy`() async throws {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let names = SilentNames(on: eventLoop)
        var configuration = LinkConfiguration()
        configuration.dialTimeout = .hours(1)
        configuration.proxy = ProxyServer(kind: .http, host: "proxy.test", port: 3128)
        let dialer = EdgeDialer(.name("far-edge.test", port: 7844), configuration, resolver: names)
        await withTaskGroup { tasks in
            tasks.addTask {
                await #expect(throws: LinkError.self) { try await dialer.connect(on: eventLoop) { _ in () } }
            }
            tasks.cancelAll()
        }
        names.end()
    }

    @Test func `a name without a proxy, and a local address of another host, are no way`() async throws {
        await #expect { try await dial(LinkConfiguration()) } throws: { ($0 as? LinkError)?.code == .dialFailed }
        var configuration = LinkConfiguration()
        configuration.localAddress = try SocketAddress(ipAddress: "192.0.2.1", port: 0)
        let edge = EdgeEndpoint.address(try SocketAddress(ipAddress: "127.0.0.1", port: 9))
        await #expect { try await dial(configuration, to: edge) } throws: { error in
            (error as? LinkError)?.description.contains("--edge-bind-address") == true
        }
    }
}
