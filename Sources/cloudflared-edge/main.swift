import EdgeCommands
import Foundation

exit(await EdgeCommand.execute(Array(CommandLine.arguments.dropFirst())))
