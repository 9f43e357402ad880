import ByteStream
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import OriginTransport
import TestKit
import Testing
import TunnelConfig

@Suite(.timeLimit(.minutes(1))) struct OriginDialerTests {
    let eventLoop: any EventLoop = MultiThreadedEventLoopGroup.singleton.next()

    private func open(_ target: OriginTarget, _ options: OriginRequest = OriginRequest()) async throws -> TestVisitor {
        let eventLoop = eventLoop
        return try await eventLoop.flatSubmit {
            OriginDialer().openPipe(to: target, options: options, on: eventLoop).map { pipe in
                let visitor = TestVisitor(on: eventLoop)
                visitor.start(pipe)
                return visitor
            }
        }.get()
    }

    private func jump(_ destination: String?, allow: [String]) async throws -> TestVisitor {
        let eventLoop = eventLoop
        var options = OriginRequest()
        options.bastionAllow = allow.isEmpty ? nil : try DestinationAllowList(allow)
        return try await eventLoop.flatSubmit { [options] in
            OriginDialer().openPipe(toDestination: destination, options: options, on: eventLoop).map { pipe in
                let visitor = TestVisitor(on: eventLoop)
                visitor.start(pipe)
                return visitor
            }
        }.get()
    }

    /// A port that was free a moment ago.
    private func closedPort() async throws -> Int {
        let origin = try await TestOrigin.echo()
        let port = origin.port
        await origin.stop()
        return port
    }

    @Test(arguments: ["127.0.0.1", "localhost", "desk.localhost", "LOCALHOST"])
    func `bytes pass both ways and each way ends by itself`(host: String) async throws {
        let origin = try await TestOrigin.echo()
        let visitor = try await open(origin.service("tcp", host: host))
        visitor.send(ByteBuffer(string: "ping"))
        #expect(try await visitor.bytes(4) == ByteBuffer(string: "ping"))
        visitor.finish()
        #expect(try await visitor.body() == ByteBuffer(string: "ping"))
        #expect(try await visitor.closed() == nil)
        await origin.stop()
    }

    @Test func `an origin that ends first still receives`() async throws {
        let got = MultiThreadedEventLoopGroup.singleton.next().makePromise(of: ByteBuffer.self)
        let origin = try await TestOrigin.raw { bytes, channel in
            if bytes.readableBytes > 0 { got.succeed(bytes) }
        }
        let visitor = try await open(origin.service("tcp"))
        visitor.send(ByteBuffer(string: "late"), end: true)
        #expect(try await got.futureResult.get() == ByteBuffer(string: "late"))
        visitor.abort()
        await origin.stop()
    }

    @Test func `a Unix socket is an origin`() async throws {
        let path = socketPath()
        let origin = try await TestOrigin.http(at: .unix(path)) { _ in
            .response(.ok, [:], body: ByteBuffer(string: "unix"))
        }
        let answer = try await TestClient().send(.get(), to: OriginTarget(.unix(path: path), scheme: "http"))
        #expect(answer.body == ByteBuffer(string: "unix"))
        await origin.stop()
        try? FileManager.default.removeItem(atPath: path)
    }

    @Test(arguments: [
        ("rdp", "the desktop at 127.0.0.1", "is RDP enabled on it"),
        ("ssh", "the SSH server at 127.0.0.1", "is sshd running"),
        ("smb", "the file share at 127.0.0.1", "SMB"),
        ("http", "the web service at 127.0.0.1", "is the port right"),
        ("tcp", "the service at 127.0.0.1", "is it running"),
    ])
    func `a refused connection names the service and what to look at`(
        scheme: String, name: String, advice: String
    ) async throws {
        let port = try await closedPort()
        let target = OriginTarget(.tcp(host: "127.0.0.1", port: port), scheme: scheme)
        let error = await failure { _ = try await open(target) }
        #expect(error?.code == .refused)
        #expect(error?.message.hasPrefix("\(name):\(port) refused the connection; ") ?? false)
        #expect(error?.message.contains(advice) ?? false)
        #expect(error?.status == 502)
    }

    @Test func `a refused connection on every address of a name is a refusal`() async throws {
        let target = OriginTarget(.tcp(host: "localhost", port: try await closedPort()), scheme: "rdp")
        let error = await failure { _ = try await open(target) }
        #expect(error?.code == .refused)
    }

    @Test func `a socket path that does not exist is named`() async throws {
        let error = await failure {
            _ = try await open(OriginTarget(.unix(path: "/nonexistent/app.sock"), scheme: "http"))
        }
        #expect(error?.code == .refused)
        #expect(error?.message.contains("/nonexistent/app.sock does not exist") ?? false)
    }

    @Test func `a name that does not resolve is named`() async throws {
        let error = await failure {
            _ = try await open(OriginTarget(.tcp(host: "no-such.invalid", port: 1), scheme: "tcp"))
        }
        #expect(error?.code == .notFound)
        #expect(error?.message.contains("no-such.invalid") ?? false)
    }

    @Test func `a machine that does not answer is given up after connectTimeout`() async throws {
        // A full backlog makes the kernel drop further SYNs, as a firewall does.
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { Foundation.close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let port = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                _ = bind(listener, raw, length)
                _ = listen(listener, 0)
                _ = getsockname(listener, raw, &length)
            }
            return Int(UInt16(bigEndian: pointer.pointee.sin_port))
        }
        var options = OriginRequest()
        options.connectTimeout = .milliseconds(200)
        var error: OriginError?
        for _ in 0..<8 where error == nil {
            error = await failure {
                _ = try await open(OriginTarget(.tcp(host: "127.0.0.1", port: port), scheme: "rdp"), options)
            }
        }
        #expect(error?.code == .timedOut)
        #expect(error?.message.contains("connectTimeout") ?? false)
    }

    // MARK: Bastion

    @Test func `an allowed destination is reached`() async throws {
        let origin = try await TestOrigin.echo()
        for destination in ["127.0.0.1:\(origin.port)", "rdp://127.0.0.1:\(origin.port)/x", "localhost:\(origin.port)"]
        {
            let visitor = try await jump(destination, allow: ["localhost:\(origin.port)"])
            visitor.send(ByteBuffer(string: "x"), end: true)
            #expect(try await visitor.body() == ByteBuffer(string: "x"))
        }
        await origin.stop()
    }

    @Test(arguments: [
        (nil, OriginError.Code.destinationInvalid), ("", .destinationInvalid), ("no port", .destinationInvalid),
        ("user@h:1", .destinationInvalid), ("a:b:c", .destinationInvalid), ("h", .destinationInvalid),
        ("10.0.0.9:3389", .destinationDenied), ("desk.test:22", .destinationDenied),
        ("127.0.0.1:3389", .destinationDenied),
        ("[::ffff:127.0.0.1]:3389", .destinationDenied), ("169.254.169.254:80", .destinationDenied),
    ])
    func `any other destination is refused without dialling`(destination: String?, code: OriginError.Code) async throws
    {
        let error = await failure {
            _ = try await jump(destination, allow: ["desk.test:3389", "10.0.0.1:3389", "0.0.0.0/0:80"])
        }
        #expect(error?.code == code)
        #expect(error.map { (400..<500).contains($0.status) } ?? false)
    }

    @Test func `without an allow-list nothing is reached`() async throws {
        let origin = try await TestOrigin.echo()
        let error = await failure { _ = try await jump("127.0.0.1:\(origin.port)", allow: []) }
        #expect(error?.code == .destinationDenied)
        #expect(origin.connections == 0)
        await origin.stop()
    }

    @Test func `an allowed name that resolves to a guarded address is refused`() async throws {
        let origin = try await TestOrigin.echo()
        // What a rebinding name server does: an innocent name, a loopback address.
        let error = await failure {
            _ = try await jump("inside.localhost:\(origin.port)", allow: ["inside.localhost:\(origin.port)"])
        }
        #expect(error?.code == .destinationDenied)
        #expect(origin.connections == 0)
        await origin.stop()
    }
}
