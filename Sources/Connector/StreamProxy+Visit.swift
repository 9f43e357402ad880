import ByteStream
import EdgeTransport
import Logging
import NIOCore
import NIOHTTP1
import OriginTransport
import ServiceHost
import TunnelConfig
import TunnelWire

extension StreamProxy {
    /// One stream being served: answers it once, and writes down how that went. Lives as long as the stream.
    final class Visit {
        let stream: LinkStream
        private let proxy: StreamProxy
        private let connIndex: UInt8?
        private var ruleIndex: Int?
        private var service = ""
        private var left: (() -> Void)?
        private var hasAnswered = false
        private var hasLogged = false
        /// Whether the stream is over.
        private(set) var isLeft = false

        init(_ stream: LinkStream, proxy: StreamProxy, connIndex: UInt8?) {
            self.stream = stream
            self.proxy = proxy
            self.connIndex = connIndex
            stream.ended.assumeIsolated().whenComplete { _ in
                self.isLeft = true
                let left = self.left
                self.left = nil
                left?()
            }
        }

        /// Notes which rule serves the stream, for what is logged later.
        func matched(_ match: RoutingTable.Match) {
            ruleIndex = match.index
            service = "\(match.rule.service)"
        }

        /// Calls back when the stream is over, unless it was joined before.
        func whenLeft(_ body: @escaping () -> Void) {
            if isLeft { body() } else { left = body }
        }

        // MARK: Answers

        /// Sends the response head of a service.
        func respond(_ response: StreamResponse) {
            proxy.metrics.responsesByCode["\(response.status)"].increment()
            proxy.logger.debug(
                "Request served",
                metadata: metadata([
                    "method": "\(stream.request.method)", "host": "\(stream.request.authority)",
                    "path": "\(stream.request.path.prefix { $0 != "?" })", "status": "\(response.status)",
                ]))
            hasAnswered = true
            stream.respond(response)
        }

        /// Answers in full, without a service. What the visitor still uploads is not wanted.
        func answer(status: Int, headers: HTTPHeaders = [:], body: ByteBuffer = ByteBuffer()) {
            respond(StreamResponse(status: status, headers: headers))
            finish(with: body)
        }

        /// Answers why the stream cannot be served: in words where the client can change it, else with the plain 502 that
        /// every edge knows.
        func fail(_ error: OriginError) {
            guard error.status != 502 else { return refuse(error) }
            log(error)
            let text = "cloudflared: \(error.message)\n"
            var headers: HTTPHeaders = [
                "Content-Type": "text/plain; charset=utf-8", "Content-Length": String(text.utf8.count),
            ]
            if error.code == .wrongKind { headers.add(name: "Upgrade", value: "websocket") }
            stream.respond(StreamResponse(status: error.status, headers: headers, source: .connector))
            finish(with: stream.request.method == "HEAD" ? ByteBuffer() : ByteBuffer(string: text))
        }

        /// Answers without words.
        func refuse(_ error: OriginError) {
            // Nobody waits for the answer of a request that its visitor gave up.
            guard error.code != .cancelled, !isLeft else { return }
            log(error)
            stream.refuse(status: error.status)
        }

        /// Answers that this connector serves as many streams as it may.
        func refuseBusy() {
            proxy.metrics.requestErrors.increment()
            proxy.logger.warning("Too many concurrent requests, rejecting one", metadata: metadata())
            stream.refuse(flowRateLimited: true)
        }

        private func finish(with body: ByteBuffer) {
            if body.readableBytes > 0 { stream.write(body) }
            stream.finish(trailers: nil)
            stream.dismissInput()
        }

        // MARK: Bodies

        func join(_ origin: any BytePipe, limits: Splice.Limits) {
            join(stream, origin, limits: limits)
        }

        /// - Parameter visitor: the stream, or what is inside it.
        func join(_ visitor: any BytePipe, _ origin: any BytePipe, limits: Splice.Limits) {
            left = nil
            Splice.join(visitor, origin, limits: limits) { self.ended($0) }
        }

        private func ended(_ summary: Splice.Summary) {
            // Built only for a level that is written.
            func metadata() -> Logger.Metadata {
                var counts: Logger.Metadata = [
                    "bytesUp": "\(summary.bytesLeftToRight)", "bytesDown": "\(summary.bytesRightToLeft)",
                ]
                if let error = summary.error { counts["error"] = "\(error)" }
                return self.metadata(counts)
            }
            guard let error = summary.error else {
                proxy.logger.debug("Stream ended", metadata: metadata())
                return
            }
            if let error = error as? OriginError, error.code == .closedEarly || error.code == .badResponse, hasAnswered
            {
                proxy.metrics.requestErrors.increment()
                proxy.logger.error("The origin broke off its response", metadata: metadata())
            } else {
                // Mostly visitors who leave: nothing anybody has to do.
                proxy.logger.debug("Stream ended abruptly", metadata: metadata())
            }
        }

        // MARK: Logs

        /// Who was let through to which destination (access-protocol section 3.13.7); a refusal is logged as a failure.
        func logDestination(_ destination: String?) {
            var more: Logger.Metadata = [:]
            more["dest"] = destination.flatMap { try? JumpDestination.parse($0) }.map { "\($0)" }
            more["user"] = stream.request.headers.first(name: "cf-access-authenticated-user-email").map { "\($0)" }
            proxy.logger.info("Bastion connection opened", metadata: metadata(more))
        }

        /// One line for each stream that could not be served, with the official keys.
        func log(_ error: OriginError) {
            guard !hasLogged else { return }
            hasLogged = true
            proxy.metrics.requestErrors.increment()
            var metadata = metadata()
            metadata["error"] = "\(error)"
            proxy.logger.error("failed to serve incoming request", metadata: metadata)
        }

        private func metadata(_ more: Logger.Metadata = [:]) -> Logger.Metadata {
            var metadata = more
            metadata["event"] = stream.request.kind == .tcp ? "2" : "1"
            if let connIndex { metadata["connIndex"] = "\(connIndex)" }
            if let ruleIndex {
                metadata["ingressRule"] = "\(ruleIndex)"
                metadata["originService"] = "\(service)"
            }
            return metadata
        }
    }
}
