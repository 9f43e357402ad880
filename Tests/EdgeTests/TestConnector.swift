import ByteStream
import EdgeStore
import EdgeTransport
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import TunnelConfig
import TunnelWire

/// A connector: a real link to the edge, the registration machine, and the test's handling of streams.
final class TestConnector: Sendable {
    let link: HTTP2Link
    private let end: ControlEnd
    private let clientID: UUID

    private init(link: HTTP2Link, end: ControlEnd, clientID: UUID) {
        self.link = link
        self.end = end
        self.clientID = clientID
    }

    static func dial(
        _ edge: EdgeHarness, tunnelID: UUID = EdgeHarness.home.id,
        secret: [UInt8] = EdgeHarness.home.secret.bytes, account: String = EdgeHarness.home.accountTag,
        index: UInt8 = 0, clientID: UUID = UUID(), registers: Bool = true,
        serve: @escaping @Sendable (LinkStream) -> Void = { $0.refuse() }
    ) async throws -> TestConnector {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let client = ClientInfo(
            clientID: clientID, features: ["serialized_headers"], version: "test", arch: "linux_amd64")
        let request = RegisterConnection(
            auth: TunnelAuth(accountTag: account, tunnelSecret: TunnelWire.TunnelSecret(secret)), tunnelID: tunnelID,
            connectionIndex: index, options: ConnectionOptions(client: client))
        let end = ControlEnd(request: registers ? request : nil, on: eventLoop)
        let link: HTTP2Link
        do {
            link = try await HTTP2Link.dial(
                .address(SocketAddress(ipAddress: "127.0.0.1", port: edge.tunnelPort)),
                tls: EdgeTLS.connector(caFile: edge.directory.path(of: .authority), postQuantumOnly: false),
                on: eventLoop
            ) { stream in
                if stream.request.kind == .controlStream { end.start(stream) } else { serve(stream) }
            }
        } catch {
            end.pipeClosed(error)
            throw error
        }
        // The edge may end the link before it opens the control stream.
        link.ended.whenComplete { _ in end.pipeClosed(nil) }
        return TestConnector(link: link, end: end, clientID: clientID)
    }

    /// The edge's answer to the registration.
    func registration() async throws -> Result<ConnectionDetails, ConnectionError> {
        try await end.registered.futureResult.get()
    }

    /// Waits until the edge has recorded the connection, which it does after it has begun to route to it.
    func isRouted(in store: any ClusterStore) async throws {
        let id = try await registration().get().uuid
        while try await !store.connections(ofTunnels: [EdgeHarness.home.id]).contains(where: { $0.id == id }) {
            await Task.yield()
        }
    }

    func unregister() async throws {
        end.unregister()
        try await end.unregistered.futureResult.get()
    }

    /// Ends the control stream, as a connector does that has unregistered.
    func goodbye() {
        end.goodbye()
    }

    func close() async throws {
        link.close()
        _ = try await link.ended.get()
    }

    /// The connector's end of the control stream.
    // Safety: all state is touched on the event loop only.
    final class ControlEnd: BytePipeSink, @unchecked Sendable {
        let registered: EventLoopPromise<Result<ConnectionDetails, ConnectionError>>
        let unregistered: EventLoopPromise<Void>
        private let request: RegisterConnection?
        private let eventLoop: any EventLoop
        private var machine = RegistrationClient.StateMachine()
        private var stream: LinkStream?

        init(request: RegisterConnection?, on eventLoop: any EventLoop) {
            self.request = request
            self.eventLoop = eventLoop
            registered = eventLoop.makePromise()
            unregistered = eventLoop.makePromise()
        }

        func start(_ stream: LinkStream) {
            self.stream = stream
            stream.respond(StreamResponse(status: 200))
            stream.attach(self)
            stream.read()
            if let request { perform(machine.registerRequested(request)) }
        }

        func unregister() {
            eventLoop.execute { self.perform(self.machine.unregisterRequested()) }
        }

        func goodbye() {
            eventLoop.execute {
                self.perform(self.machine.closeRequested())
                self.stream?.finish(trailers: nil)
            }
        }

        private func perform(_ actions: [RegistrationClient.Action]) {
            for action in actions {
                switch action {
                case .send(let bytes):
                    stream?.write(bytes)
                    stream?.flush()
                case .registered(let details): registered.succeed(.success(details))
                case .refused(let error): registered.succeed(.failure(error))
                case .registrationFailed(let failure): registered.fail(failure)
                case .unregistered: unregistered.succeed()
                case .localConfigurationAnswered, .closed: break
                }
            }
        }

        func pipeReceived(_ bytes: ByteBuffer) { perform(machine.received(bytes)) }
        func pipeReadCompleted() { stream?.read() }
        func pipeFinished(trailers: HTTPHeaders?) {}
        func pipeWritabilityChanged() {}
        func pipeClosed(_ error: (any Error)?) {
            registered.fail(error ?? PipeError.closedByPeer)
            unregistered.fail(error ?? PipeError.closedByPeer)
            stream = nil
        }
    }
}

/// Ways to serve a stream, as an origin behind the connector would.
enum Serve {
    /// One fixed answer, at once; the request's body is not read.
    static func answer(
        _ status: Int = 200, _ headers: HTTPHeaders = [:], body: String = "", trailers: HTTPHeaders? = nil
    ) -> @Sendable (LinkStream) -> Void {
        { stream in
            stream.respond(StreamResponse(status: status, headers: headers))
            if !body.isEmpty { stream.write(ByteBuffer(string: body)) }
            stream.finish(trailers: trailers)
        }
    }

    /// What the connector was asked, as text: request line, headers sorted, body.
    static let description: @Sendable (LinkStream) -> Void = { stream in
        gather(stream) { body, trailers in
            let request = stream.request
            var lines = ["\(request.method) \(request.path) \(request.kind) \(request.authority)"]
            lines += request.headers.map { "\($0.name): \($0.value)" }.sorted()
            lines += (trailers ?? [:]).map { "trailer \($0.name): \($0.value)" }.sorted()
            lines.append("body \(body.readableBytes) bytes")
            stream.respond(StreamResponse(status: 200, headers: ["Content-Type": "text/plain"]))
            stream.write(ByteBuffer(string: lines.joined(separator: "\n")))
            stream.finish(trailers: ["x-end": "yes"])
        }
    }

    /// Sends the body back as it comes, with back-pressure.
    static let echo: @Sendable (LinkStream) -> Void = { stream in
        stream.respond(StreamResponse(status: 200, headers: ["content-type": "application/octet-stream"]))
        echoBody(stream)
    }

    static func echoBody(_ stream: LinkStream) {
        stream.attach(Echo(stream))
        stream.read()
    }

    static func gather(
        _ stream: LinkStream, _ done: @escaping @Sendable (ByteBuffer, HTTPHeaders?) -> Void
    ) {
        stream.attach(Gatherer(stream, done))
        stream.read()
    }

    private final class Echo: BytePipeSink {
        private let stream: LinkStream
        private var isPaused = false

        init(_ stream: LinkStream) { self.stream = stream }

        func pipeReceived(_ bytes: ByteBuffer) { stream.write(bytes) }
        func pipeReadCompleted() {
            stream.flush()
            isPaused = !stream.isWritable
            if !isPaused { stream.read() }
        }
        func pipeFinished(trailers: HTTPHeaders?) { stream.finish(trailers: trailers) }
        func pipeWritabilityChanged() {
            guard isPaused, stream.isWritable else { return }
            isPaused = false
            stream.read()
        }
        func pipeClosed(_ error: (any Error)?) {}
    }

    private final class Gatherer: BytePipeSink {
        private let stream: LinkStream
        private let done: @Sendable (ByteBuffer, HTTPHeaders?) -> Void
        private var body = ByteBuffer()

        init(_ stream: LinkStream, _ done: @escaping @Sendable (ByteBuffer, HTTPHeaders?) -> Void) {
            self.stream = stream
            self.done = done
        }

        func pipeReceived(_ bytes: ByteBuffer) { body.writeImmutableBuffer(bytes) }
        func pipeReadCompleted() { stream.read() }
        func pipeFinished(trailers: HTTPHeaders?) { done(body, trailers) }
        func pipeWritabilityChanged() {}
        func pipeClosed(_ error: (any Error)?) {}
    }
}

/// Reports the end of a stream to a test.
final class EndWatcher: BytePipeSink, Sendable {
    let ended: EventLoopPromise<(any Error)?>

    init(on eventLoop: any EventLoop) { ended = eventLoop.makePromise() }

    func pipeReceived(_ bytes: ByteBuffer) {}
    func pipeReadCompleted() {}
    func pipeFinished(trailers: HTTPHeaders?) {}
    func pipeWritabilityChanged() {}
    func pipeClosed(_ error: (any Error)?) { ended.succeed(error) }
}
