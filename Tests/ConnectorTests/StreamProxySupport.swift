import Access
import ByteStream
import EdgeTransport
import Logging
import NIOCore
import NIOHTTP1
import ServiceHost
import Synchronization
import TestKit
import TunnelConfig
import TunnelWire

@testable import Connector

/// A link whose connector end is served by a StreamProxy.
struct ProxyBench: Sendable {
    let link: TestLink
    let ledger: StreamLedger
    let metrics: ConnectorMetrics
    let log: LogBook

    static func make(
        _ rules: [IngressRule], settings: StreamProxy.Settings = StreamProxy.Settings(),
        tags: [(name: String, value: String)] = [], assertions: AssertionVerifier? = nil, asides: Asides? = nil
    ) async throws -> ProxyBench {
        let log = LogBook()
        let metrics = ConnectorMetrics(registry: MetricsRegistry())
        var logger = Logger(label: "test", factory: { _ in LogBook.Handler(book: log) })
        logger.logLevel = .debug
        let table = RoutingTable(rules: rules)
        let proxy = StreamProxy(
            routes: { table }, tags: { tags }, settings: settings, assertions: assertions, asides: asides,
            metrics: metrics, logger: logger)
        let ledgers = Mutex<StreamLedger?>(nil)
        let link = try await TestLink.make { stream in
            let ledger = ledgers.withLock { known in
                let ledger = known ?? StreamLedger(on: stream.eventLoop, connIndex: 3)
                known = ledger
                return ledger
            }
            proxy.serve(stream, in: ledger)
        }
        let ledger = ledgers.withLock { known in
            let ledger = known ?? StreamLedger(on: link.connector.eventLoop, connIndex: 3)
            known = ledger
            return ledger
        }
        return ProxyBench(link: link, ledger: ledger, metrics: metrics, log: log)
    }

    /// One rule for everything.
    static func make(
        _ service: OriginService, settings: StreamProxy.Settings = StreamProxy.Settings(),
        tags: [(name: String, value: String)] = [],
        options: (inout OriginRequest) throws -> Void = { _ in }
    ) async throws -> ProxyBench {
        var request = OriginRequest()
        try options(&request)
        return try await make([IngressRule(service: service, originRequest: request)], settings: settings, tags: tags)
    }

    /// Opens a WebSocket as a client of a stream service does, and speaks as its client from then on.
    func openWebSocket(_ headers: [(String, String)] = []) async throws -> (TestVisitor, StreamResponse) {
        let edge = link.edge
        var request = StreamRequest(
            kind: .webSocket, authority: "rdp.test", headers: ["sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ=="])
        for (name, value) in headers { request.headers.replaceOrAdd(name: name, value: value) }
        let visitor = try await edge.eventLoop.submit { [request] in
            let visitor = TestVisitor(on: edge.eventLoop)
            let stream = edge.openStream(request) { visitor.answered($0) }
            visitor.start(WebSocketPipe(stream, role: .client))
            return visitor
        }.get()
        return (visitor, try await visitor.response)
    }

    func idle() async throws {
        let ledger = ledger
        try await link.connector.eventLoop.flatSubmit {
            let promise = link.connector.eventLoop.makePromise(of: Void.self)
            ledger.whenIdle { promise.succeed() }
            return promise.futureResult
        }.get()
    }
}

/// What was logged.
final class LogBook: Sendable {
    private let lines = Mutex<[(level: Logger.Level, message: String, metadata: Logger.Metadata)]>([])

    func entries(_ level: Logger.Level) -> [(message: String, metadata: Logger.Metadata)] {
        lines.withLock { $0.filter { $0.level == level }.map { ($0.message, $0.metadata) } }
    }

    struct Handler: LogHandler {
        let book: LogBook
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.debug

        init(book: LogBook) { self.book = book }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let merged = metadata.merging(event.metadata ?? [:]) { $1 }
            book.lines.withLock { $0.append((event.level, "\(event.message)", merged)) }
        }
    }
}

extension TestOrigin {
    var service: OriginService { .http(host: "127.0.0.1", port: port, tls: false) }
    func stream(_ scheme: String) -> OriginService { .tcp(scheme: scheme, host: "127.0.0.1", port: port) }
}
