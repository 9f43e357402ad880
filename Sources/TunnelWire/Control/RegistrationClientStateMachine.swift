import CapnProto
package import NIOCore

extension RegistrationClient {
    /// Lives as long as one control stream. After `.closed` every event is ignored.
    package struct StateMachine: Sendable {
        package typealias Action = RegistrationClient.Action

        private let limits: ControlStreamLimits
        private var stream: ControlStreamReader
        private var questions = QuestionTable()
        private var registration = Registration.idle
        private var server = Server.unknown
        private var isClosed = false

        private enum Registration {
            case idle
            case requested
            case accepted
            /// Refused, failed, or given back.
            case ended(unregistered: Bool)
        }

        /// The edge's main capability.
        private enum Server {
            case unknown
            /// The answer to this bootstrap question, pipelined upon until it has come.
            case promised(questionID: UInt32)
            case imported(id: UInt32)
        }

        package init(limits: ControlStreamLimits = ControlStreamLimits()) {
            self.limits = limits
            stream = ControlStreamReader(limits: limits)
        }

        /// Asks for the edge's capability and registers on it without waiting for it. Once per stream.
        package mutating func registerRequested(_ request: RegisterConnection) -> [Action] {
            guard !isClosed, case .idle = registration else { return [] }
            registration = .requested
            let questionID = questions.open(.bootstrap)
            server = .promised(questionID: questionID)
            do throws(CapnProtoError) {
                let bootstrap = try encode(.bootstrap(RPCBootstrap(questionID: questionID)))
                return [.send(bootstrap), try call(.register, .structure(request))]
            } catch {
                registration = .ended(unregistered: false)
                return [.registrationFailed(.tooLarge)]
            }
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

        /// Shows the edge the configuration, as JSON.
        package mutating func localConfigurationOffered(_ json: ByteBuffer) -> [Action] {
            guard !isClosed else { return [] }
            guard case .accepted = registration else { return [.localConfigurationAnswered(.notRegistered)] }
            guard questions.count < limits.openQuestions else { return [.localConfigurationAnswered(.tooManyCalls)] }
            do throws(CapnProtoError) {
                return [try call(.localConfiguration, .structure(UpdateLocalConfiguration(config: json)))]
            } catch {
                return [.localConfigurationAnswered(.tooLarge)]
            }
        }

        /// Asks the edge to send nothing new. Without a registration there is nothing to ask.
        package mutating func unregisterRequested() -> [Action] {
            guard !isClosed else { return [] }
            guard case .accepted = registration, questions.count < limits.openQuestions,
                let action = try? call(.unregister, .structure(EmptyStruct()))
            else { return [.unregistered] }
            registration = .ended(unregistered: true)
            return [action]
        }

        /// The time for the oldest call of a kind was up.
        package mutating func callTimedOut(_ call: Call) -> [Action] {
            guard !isClosed, let questionID = questions.abandon(call),
                let finish = try? finish(questionID, releasingCapabilities: true)
            else { return [] }
            return [finish] + failed(call, .timedOut)
        }

        /// Says goodbye.
        package mutating func closeRequested() -> [Action] {
            guard !isClosed else { return [] }
            var actions: [Action] = []
            if case .imported(let id) = server, let bytes = try? encode(.release(RPCRelease(id: id, referenceCount: 1)))
            {
                actions.append(.send(bytes))
            }
            if let bytes = try? encode(.abort(RPCException(TunnelInterface.goodbye))) { actions.append(.send(bytes)) }
            return actions + close(TunnelInterface.goodbye, failed: false)
        }

        /// The edge ended its side of the stream, or the stream is gone.
        package mutating func inputEnded() -> [Action] {
            guard !isClosed else { return [] }
            if case .ended(unregistered: true) = registration {
                return close("the edge ended the control stream", failed: false)
            }
            return close("the edge ended the control stream", failed: true)
        }
    }
}

// MARK: - Messages of the edge

extension RegistrationClient.StateMachine {
    private mutating func handle(_ message: Message) throws(CapnProtoError) -> [Action] {
        switch try RPCMessage<PointerReader>.decode(message) {
        case .return(let answer):
            return try handle(answer)
        case .abort(let exception):
            return close(exception.reason, failed: exception.reason != TunnelInterface.goodbye)
        case .bootstrap(let bootstrap):
            return try refuse(bootstrap.questionID, "rpc: no bootstrap interface")
        case .call(let call):
            return try refuse(call.questionID, "rpc: target not found")
        case .finish, .release, .resolve, .unimplemented:
            // We host nothing and wait for no promise: there is nothing these could change.
            return []
        case .disembargo:
            return try echo(message, tag: 13)
        case .unknown(let tag):
            return try echo(message, tag: tag)
        }
    }

    private mutating func handle(_ answer: RPCReturn<PointerReader>) throws(CapnProtoError) -> [Action] {
        guard let question = questions.answered(answer.answerID) else { return [] }
        let call: RegistrationClient.Call
        switch question {
        case .abandoned: return []
        case .bootstrap: return try bootstrapped(answer)
        case .call(let kind): call = kind
        }
        switch answer.outcome {
        case .results(let payload):
            return [try finish(answer.answerID, releasingCapabilities: false)] + succeeded(call, payload)
        case .exception(let exception):
            return [try finish(answer.answerID, releasingCapabilities: true)]
                + failed(call, .exception(exception.reason))
        case .canceled:
            return [try finish(answer.answerID, releasingCapabilities: true)] + failed(call, .canceled)
        case .elsewhere:
            let failure = RegistrationClient.CallFailure.malformedAnswer("results sent elsewhere")
            return [try finish(answer.answerID, releasingCapabilities: true)] + failed(call, failure)
        }
    }

    private mutating func bootstrapped(_ answer: RPCReturn<PointerReader>) throws(CapnProtoError) -> [Action] {
        if case .results(let payload) = answer.outcome {
            switch try payload.capability() {
            case .senderHosted(let id), .senderPromise(let id):
                server = .imported(id: id)
                return [try finish(answer.answerID, releasingCapabilities: false)]
            default:
                break
            }
        }
        // The call that was made on it is answered with an exception too, which tells more.
        server = .unknown
        return [try finish(answer.answerID, releasingCapabilities: true)]
    }

    private mutating func succeeded(_ call: RegistrationClient.Call, _ payload: RPCPayload<PointerReader>) -> [Action] {
        switch call {
        case .localConfiguration: return [.localConfigurationAnswered(nil)]
        case .unregister: return [.unregistered]
        case .register: break
        }
        do throws(CapnProtoError) {
            let results = try RegisterConnectionResults(from: payload.content.structure())
            switch results.response {
            case .connectionDetails(let details):
                registration = .accepted
                return [.registered(details)]
            case .error(let error):
                registration = .ended(unregistered: false)
                return [.refused(error)]
            }
        } catch {
            return failed(call, .malformedAnswer(error.description))
        }
    }

    private mutating func failed(_ call: RegistrationClient.Call, _ failure: RegistrationClient.CallFailure) -> [Action]
    {
        switch call {
        case .register:
            registration = .ended(unregistered: false)
            return [.registrationFailed(failure)]
        case .localConfiguration:
            return [.localConfigurationAnswered(failure)]
        case .unregister:
            return [.unregistered]
        }
    }

    private mutating func refuse(_ answerID: UInt32, _ reason: String) throws(CapnProtoError) -> [Action] {
        guard stream.allowsOddMessage() else { return abort("too many calls to a peer that offers none") }
        let answer = RPCReturn<RPCContent>(answerID: answerID, outcome: .exception(RPCException(reason)))
        return [.send(try encode(.return(answer)))]
    }

    private mutating func echo(_ message: Message, tag: UInt16) throws(CapnProtoError) -> [Action] {
        guard stream.allowsOddMessage() else { return abort("too many messages that are not understood") }
        return [.send(try RPCMessage<RPCContent>.unimplemented(echoing: message, tag: tag))]
    }
}

// MARK: - Messages to the edge

extension RegistrationClient.StateMachine {
    private mutating func call(
        _ call: RegistrationClient.Call, _ parameters: RPCContent
    ) throws(CapnProtoError) -> RegistrationClient.Action {
        let target: RPCTarget
        switch server {
        // A bootstrap that failed leaves nothing to call; the edge says so by an exception.
        case .unknown: target = .importedCapability(0)
        case .promised(let questionID): target = .promisedAnswer(RPCPromisedAnswer(questionID: questionID))
        case .imported(let id): target = .importedCapability(id)
        }
        let questionID = questions.open(.call(call))
        do {
            let message = RPCCall(
                questionID: questionID, target: target, interfaceID: TunnelInterface.registrationServer,
                methodID: call.method.rawValue, parameters: RPCPayload(parameters))
            return .send(try encode(.call(message)))
        } catch {
            _ = questions.answered(questionID)
            throw error
        }
    }

    private func finish(
        _ questionID: UInt32, releasingCapabilities: Bool
    ) throws(CapnProtoError) -> RegistrationClient.Action {
        let finish = RPCFinish(questionID: questionID, releasesResultCapabilities: releasingCapabilities)
        return .send(try encode(.finish(finish)))
    }

    private func encode(_ message: RPCMessage<RPCContent>) throws(CapnProtoError) -> ByteBuffer {
        try message.encodeMessage(limit: limits.messageBytes)
    }

    private mutating func abort(_ reason: String) -> [RegistrationClient.Action] {
        let farewell = (try? encode(.abort(RPCException(reason)))).map { [RegistrationClient.Action.send($0)] } ?? []
        return farewell + close(reason, failed: true)
    }

    private mutating func close(_ reason: String, failed: Bool) -> [RegistrationClient.Action] {
        isClosed = true
        return [.closed(reason: reason, failed: failed)]
    }
}

extension RegistrationClient.Call {
    fileprivate var method: TunnelInterface.RegistrationServerMethod {
        switch self {
        case .register: .registerConnection
        case .localConfiguration: .updateLocalConfiguration
        case .unregister: .unregisterConnection
        }
    }
}
