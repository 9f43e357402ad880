import CapnProto
package import NIOCore

extension RegistrationServer {
    /// Lives as long as one control stream. After `.closed` every event is ignored.
    package struct StateMachine: Sendable {
        package typealias Action = RegistrationServer.Action

        private let limits: ControlStreamLimits
        private var stream: ControlStreamReader
        /// The connector's questions that it has not finished yet.
        private var answers: [UInt32: Answer] = [:]
        private var isBootstrapped = false
        private var registration = Registration.none
        private var isClosed = false

        private enum Answer {
            /// Returned: the one capability. Calls may be made on it until it is finished.
            case capability
            case pending
            /// Finished before it was answered. The answer is still owed, and the number taken until it is given.
            case abandoned
            case returned
        }

        private enum Registration {
            case none
            case requested(questionID: UInt32)
            /// Waits for the connector to have read the refusal.
            case refused(questionID: UInt32)
            case registered
            case unregistering(questionID: UInt32)
            case unregistered
        }

        /// The id under which the registration interface is exported: the only export there is.
        private static let exportID: UInt32 = 0

        package init(limits: ControlStreamLimits = ControlStreamLimits()) {
            self.limits = limits
            stream = ControlStreamReader(limits: limits)
        }

        /// Whether requests may be routed to this connection.
        package var isRegistered: Bool {
            if case .registered = registration { !isClosed } else { false }
        }

        /// Bytes arrived on the control stream, cut anywhere.
        package mutating func received(_ bytes: ByteBuffer) -> [Action] {
            guard !isClosed else { return [] }
            var actions: [Action] = []
            stream.append(bytes)
            do throws(CapnProtoError) {
                while !isClosed, let message = try stream.next() {
                    actions += try handle(message)
                }
            } catch {
                actions += abort(error.description)
            }
            return actions
        }

        /// The edge has decided. A refused connection is closed when the connector has read why, or by its owner's clock.
        package mutating func registrationAnswered(_ response: ConnectionResponse) -> [Action] {
            guard !isClosed, case .requested(let questionID) = registration else { return [] }
            switch response {
            case .connectionDetails:
                registration = .registered
                stream.acceptMessages(ofBytes: limits.messageBytes)
            case .error:
                registration = .refused(questionID: questionID)
            }
            return answer(questionID, with: .structure(RegisterConnectionResults(response: response)))
        }

        /// The edge could not decide; the connector takes the reason for a permanent one.
        package mutating func registrationFailed(_ reason: String) -> [Action] {
            guard !isClosed, case .requested(let questionID) = registration else { return [] }
            registration = .refused(questionID: questionID)
            return answer(questionID, with: RPCException(reason))
        }

        /// Nothing new is routed to the connection any more.
        package mutating func unregisterAnswered() -> [Action] {
            guard !isClosed, case .unregistering(let questionID) = registration else { return [] }
            registration = .unregistered
            return answer(questionID, with: .structure(EmptyStruct()))
        }

        /// Says goodbye.
        package mutating func closeRequested() -> [Action] {
            guard !isClosed else { return [] }
            let farewell = (try? encode(.abort(RPCException(TunnelInterface.goodbye)))).map { [Action.send($0)] } ?? []
            return farewell + close(TunnelInterface.goodbye, failed: false)
        }

        /// The connector ended its side of the stream, or the stream is gone.
        package mutating func inputEnded() -> [Action] {
            guard !isClosed else { return [] }
            if case .unregistered = registration {
                return close("the connector ended the control stream", failed: false)
            }
            return close("the connector ended the control stream", failed: true)
        }
    }
}

// MARK: - Messages of the connector

extension RegistrationServer.StateMachine {
    private mutating func handle(_ message: Message) throws(CapnProtoError) -> [Action] {
        switch try RPCMessage<PointerReader>.decode(message) {
        case .bootstrap(let bootstrap):
            return try handle(bootstrap)
        case .call(let call):
            return handle(call)
        case .finish(let finish):
            return handle(finish)
        case .abort(let exception):
            return close(exception.reason, failed: exception.reason != TunnelInterface.goodbye)
        case .release, .return, .resolve, .unimplemented:
            // The one capability lives as long as the stream, and we ask nothing.
            return []
        case .disembargo:
            return try echo(message, tag: 13)
        case .unknown(let tag):
            return try echo(message, tag: tag)
        }
    }

    private mutating func handle(_ bootstrap: RPCBootstrap) throws(CapnProtoError) -> [Action] {
        if let problem = open(bootstrap.questionID, .capability) { return abort(problem) }
        guard !isBootstrapped || stream.allowsOddMessage() else { return abort("too many bootstraps") }
        isBootstrapped = true
        let payload = RPCPayload(RPCContent.capability(index: 0), capabilities: [.senderHosted(Self.exportID)])
        return [.send(try encode(.return(RPCReturn(answerID: bootstrap.questionID, outcome: .results(payload)))))]
    }

    private mutating func handle(_ call: RPCCall<PointerReader>) -> [Action] {
        let target = isOurs(call.target)
        if let problem = open(call.questionID, .pending) { return abort(problem) }
        guard target else { return refuse(call, RPCException("rpc: target not found")) }
        guard call.interfaceID == TunnelInterface.registrationServer,
            let method = TunnelInterface.RegistrationServerMethod(rawValue: call.methodID)
        else {
            let name = "@0x\(String(call.interfaceID, radix: 16)).@\(call.methodID)"
            return refuse(call, RPCException("\(name): capnp: method not implemented", kind: .unimplemented))
        }
        switch method {
        case .registerConnection: return register(call)
        case .unregisterConnection: return unregister(call)
        case .updateLocalConfiguration: return updateLocalConfiguration(call)
        }
    }

    private mutating func register(_ call: RPCCall<PointerReader>) -> [Action] {
        guard case .none = registration else {
            return answer(call.questionID, with: RPCException("this connection has registered already"))
                + abort("second registration on one connection")
        }
        do throws(CapnProtoError) {
            let request = try RegisterConnection(from: call.parameters.content.structure())
            registration = .requested(questionID: call.questionID)
            return [.registrationRequested(request)]
        } catch {
            registration = .refused(questionID: call.questionID)
            return answer(call.questionID, with: RPCException("registerConnection: \(error)"))
        }
    }

    private mutating func unregister(_ call: RPCCall<PointerReader>) -> [Action] {
        switch registration {
        case .registered:
            registration = .unregistering(questionID: call.questionID)
            return [.unregisterRequested]
        case .unregistering, .unregistered:
            guard stream.allowsOddMessage() else { return abort("too many calls to give back the connection") }
            return answer(call.questionID, with: .structure(EmptyStruct()))
        case .none, .requested, .refused:
            return refuse(call, RPCException("not registered"))
        }
    }

    private mutating func updateLocalConfiguration(_ call: RPCCall<PointerReader>) -> [Action] {
        guard hasRegistered else { return refuse(call, RPCException("not registered")) }
        do throws(CapnProtoError) {
            let update = try UpdateLocalConfiguration(from: call.parameters.content.structure())
            return answer(call.questionID, with: .structure(EmptyStruct())) + [
                .localConfigurationReceived(update.config)
            ]
        } catch {
            return answer(call.questionID, with: RPCException("updateLocalConfiguration: \(error)"))
        }
    }

    private mutating func handle(_ finish: RPCFinish) -> [Action] {
        switch answers[finish.questionID] {
        case .pending:
            answers[finish.questionID] = .abandoned
            guard case .requested(finish.questionID) = registration else { return [] }
            return abort("the connector gave up its registration")
        case .capability, .returned:
            answers[finish.questionID] = nil
            guard case .refused(finish.questionID) = registration else { return [] }
            return close("the registration was refused", failed: false)
        case .abandoned, nil:
            return []
        }
    }

    /// A call that cannot be served: harmless from a registered connector, a stranger's from any other.
    private mutating func refuse(_ call: RPCCall<PointerReader>, _ exception: RPCException) -> [Action] {
        let refusal = answer(call.questionID, with: exception)
        guard hasRegistered else { return refusal + abort("call before registration") }
        guard stream.allowsOddMessage() else { return refusal + abort("too many calls that are not offered") }
        return refusal
    }

    private mutating func echo(_ message: Message, tag: UInt16) throws(CapnProtoError) -> [Action] {
        guard stream.allowsOddMessage() else { return abort("too many messages that are not understood") }
        return [.send(try RPCMessage<RPCContent>.unimplemented(echoing: message, tag: tag))]
    }

    private var hasRegistered: Bool {
        switch registration {
        case .registered, .unregistering, .unregistered: true
        case .none, .requested, .refused: false
        }
    }

    private func isOurs(_ target: RPCTarget) -> Bool {
        switch target {
        case .importedCapability(let id): id == Self.exportID
        case .promisedAnswer(let promise):
            if case .capability = answers[promise.questionID] { promise.isWhole } else { false }
        case .unknown: false
        }
    }
}

// MARK: - Messages to the connector

extension RegistrationServer.StateMachine {
    /// Takes a question in. Returns what is wrong with it, if anything.
    private mutating func open(_ questionID: UInt32, _ answer: Answer) -> String? {
        guard answers[questionID] == nil else { return "rpc: question ID reused" }
        guard answers.count < limits.openQuestions else { return "too many open questions" }
        answers[questionID] = answer
        return nil
    }

    private mutating func answer(_ questionID: UInt32, with results: RPCContent) -> [Action] {
        answer(questionID, .results(RPCPayload(results)))
    }

    private mutating func answer(_ questionID: UInt32, with exception: RPCException) -> [Action] {
        answer(questionID, .exception(exception))
    }

    private mutating func answer(_ questionID: UInt32, _ outcome: RPCReturn<RPCContent>.Outcome) -> [Action] {
        if case .abandoned = answers[questionID] { answers[questionID] = nil } else { answers[questionID] = .returned }
        do throws(CapnProtoError) {
            return [.send(try encode(.return(RPCReturn(answerID: questionID, outcome: outcome))))]
        } catch {
            return abort(error.description)
        }
    }

    private func encode(_ message: RPCMessage<RPCContent>) throws(CapnProtoError) -> ByteBuffer {
        try message.encodeMessage(limit: limits.messageBytes)
    }

    private mutating func abort(_ reason: String) -> [Action] {
        let farewell = (try? encode(.abort(RPCException(reason)))).map { [Action.send($0)] } ?? []
        return farewell + close(reason, failed: true)
    }

    private mutating func close(_ reason: String, failed: Bool) -> [Action] {
        isClosed = true
        return [.closed(reason: reason, failed: failed)]
    }
}
