import ArgumentParser
import ControlAPI
import Logging
import ServiceHost
import TunnelConfig

struct RouteCommand: CommandContainer {
    static let configuration = CommandConfiguration(
        commandName: "route", abstract: "Say which traffic a tunnel gets.",
        subcommands: [RouteDNSCommand.self, RouteLoadBalancerCommand.self, RouteIPCommand.self])
}

struct RouteDNSCommand: CloudflaredCommand {
    static let configuration = CommandConfiguration(commandName: "dns", abstract: "Lead a hostname to a tunnel.")

    @Argument(help: "Name or ID of the tunnel.")
    var tunnel: String

    @Argument(help: "Hostname in the zone of the account certificate.")
    var hostname: String

    @Flag(name: .customLong("overwrite-dns"), help: "Take the hostname from the tunnel that has it (-f).")
    var overwrite = false

    @OptionGroup var account: AccountOptions
    @OptionGroup var logging: LoggingOptions
    @OptionGroup var configurationOptions: ConfigurationOptions

    var loggingSetup: LoggingSetup { logging.setup() }

    func run(in context: CommandContext) async throws {
        let hostname = try Self.checked(hostname)
        let route = try await account.withClient(context) { client in
            try await client.routeDNS(
                hostname: hostname, toTunnel: try await client.tunnelID(of: tunnel, filter: account.filter()),
                overwrite: overwrite)
        }
        let name = OutputText.safe(route.hostname)
        switch route.change {
        case "new": context.logger.info("Added CNAME \(name) which will route to this tunnel")
        case "unchanged": context.logger.info("\(name) is already configured to route to your tunnel")
        default: context.logger.info("\(name) updated to route to your tunnel")
        }
    }

    /// The ASCII form of a host name, a leading `*.` allowed.
    static func checked(_ hostname: String) throws(CommandError) -> String {
        let isWildcard = hostname.hasPrefix("*.")
        guard let ascii = DomainName.ascii(isWildcard ? String(hostname.dropFirst(2)) : hostname), !ascii.isEmpty,
            ascii.utf8.count <= 253,
            ascii.utf8.allSatisfy({ byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || [UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_")].contains(byte)
            })
        else {
            throw CommandError(.usage, "\"\(hostname)\" is not a host name; give a name such as app.example.com")
        }
        return (isWildcard ? "*." : "") + ascii
    }
}

struct RouteLoadBalancerCommand: CloudflaredCommand {
    static let configuration = CommandConfiguration(
        commandName: "lb", abstract: "Put a tunnel into a pool of a load balancer.")

    @Argument(help: "Name or ID of the tunnel.")
    var tunnel: String

    @Argument(help: "Hostname of the load balancer, in the zone of the account certificate.")
    var hostname: String

    @Argument(help: "Name of the pool.")
    var pool: String

    @OptionGroup var account: AccountOptions
    @OptionGroup var logging: LoggingOptions
    @OptionGroup var configurationOptions: ConfigurationOptions

    var loggingSetup: LoggingSetup { logging.setup() }

    func run(in context: CommandContext) async throws {
        let hostname = try RouteDNSCommand.checked(hostname)
        guard let first = pool.first, first != "-", first != ".", pool.unicodeScalars.allSatisfy(Self.isInName) else {
            throw CommandError(.usage, "\"\(pool)\" is no name of a pool; use letters, digits, '-', '_' and '.'")
        }
        let route = try await account.withClient(context) { client in
            try await client.routeLoadBalancer(
                hostname: hostname, pool: pool,
                toTunnel: try await client.tunnelID(of: tunnel, filter: account.filter()))
        }
        context.logger.info(
            """
            Load balancer \(hostname): \(OutputText.safe(route.loadBalancer)); \
            pool \(pool): \(OutputText.safe(route.pool))
            """)
    }

    private static func isInName(_ character: Unicode.Scalar) -> Bool {
        guard character.isASCII else { return false }
        return character.properties.isAlphabetic || ("0"..."9").contains(character)
            || "-_.".unicodeScalars.contains(character)
    }
}
